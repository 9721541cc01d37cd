"""``strop serve`` where there is no command line, with a few of its options."""

import argparse
from pathlib import Path

from strop.serve.command import serve
from strop.serve.config import ServeConfig


def main() -> None:
    """Serve until a signal."""
    parser = argparse.ArgumentParser()
    parser.add_argument("bundle")
    for option in ("--address", "--metrics-address", "--provider", "--variant"):
        parser.add_argument(option, default=argparse.SUPPRESS)
    for option in ("--workers", "--queue-texts", "--queue-tokens"):
        parser.add_argument(option, type=int, default=argparse.SUPPRESS)
    parser.add_argument("--require-provider", action="store_true")
    parser.add_argument("--ready-file", type=Path)
    serve(ServeConfig(**vars(parser.parse_args()), log_level="warning"))


if __name__ == "__main__":
    main()
