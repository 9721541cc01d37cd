"""``python -m strop.bench.fuzz``."""

import sys

import cyclopts

from strop.errors import StropError

from .command import fuzz

if __name__ == "__main__":
    try:
        cyclopts.run(fuzz)
    except StropError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
