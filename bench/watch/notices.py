"""What a watch tells the person at the terminal, beside its output."""

import sys


def tell(message: str) -> None:
    """Write a line to standard error, now."""
    sys.stderr.write(f"strop watch: {message}\n")
    sys.stderr.flush()
