"""What is read of a bundle is bounded before it is read: its author may mean harm."""

from pathlib import Path

from strop.errors import InputError

MANIFEST_BYTES = 2**24
"""A manifest of a thousand labels and ten variants has 50 kB."""
SIGNATURE_BYTES = 2**10
TEXT_FILE_BYTES = 2**28
"""Tokenizer and golden examples: the largest tokenizers have some tens of MB."""


def require_size(path: Path, most: int) -> None:
    """Raise ``InputError`` when the file has more than ``most`` bytes."""
    size = path.stat().st_size
    if size > most:
        raise InputError(f"{path} has {size} bytes and at most {most} are read; export the run again")


def read_bounded(path: Path, most: int) -> bytes:
    """A file of at most ``most`` bytes; ``InputError`` for a larger one and what can't be read."""
    try:
        require_size(path, most)
        with path.open("rb") as file:
            return file.read(most)
    except OSError as error:
        raise InputError(f"{path} can't be read: {error.strerror}; copy it again") from error
