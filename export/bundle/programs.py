"""Which variants are torch's programs instead of ONNX graphs, and what is said where torch is missing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from strop.errors import InputError

PROGRAM_SUFFIX = ".pt2"
"""Of the files that ``torch.export.save`` writes."""


@contextmanager
def needing_torch(program: Path) -> Iterator[None]:
    """Import torch in this block: it raises ``InputError`` where torch isn't installed."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name != "torch":
            raise
        raise InputError(
            f"{program.parent.name} is a program for torch, which isn't installed; pip install"
            " 'strop[torch]', or name another variant"
        ) from error
