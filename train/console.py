"""What commands print on."""

from rich.console import Console


def console(*, stderr: bool = False, quiet: bool = False) -> Console:
    """Prints a line as it is, whatever a path or a class name holds."""
    return Console(stderr=stderr, quiet=quiet, soft_wrap=True, highlight=False, markup=False, emoji=False)
