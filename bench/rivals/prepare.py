"""``strop bench-rivals --prepare``: the rivals' environments, made before there is anything to measure."""

from rich.console import Console

from strop.errors import StropError

from .catalogue import RIVALS
from .config import RivalsConfig


def prepare(config: RivalsConfig) -> None:
    """Make the environment of each rival and tell how that went; ``StropError`` when none can be had."""
    console = Console()
    failures = 0
    for name in config.rivals:
        try:
            with console.status(f"{name}: preparing its environment"):
                python = RIVALS[name].python()
        except StropError as error:
            failures += 1
            console.print(f"{name} can't be had: {error}", style="yellow", markup=False)
        else:
            console.print(f"{name}: {python}", markup=False, soft_wrap=True)
    if failures == len(config.rivals):
        raise StropError("no rival can be had; the reasons are above")
