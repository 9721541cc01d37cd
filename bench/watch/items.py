"""What a line says: a text, or a JSON object with one, as feeds write it."""

import json
from dataclasses import dataclass

from strop.errors import InputError

TEXT_FIELDS = ("text", "title")


@dataclass(frozen=True)
class Item:
    """A text, and when it was published if it says so."""

    text: str
    published: str | None = None


def read_item(content: bytes | None) -> Item | None:
    """The item of a line; None of a blank one. ``InputError`` says what is wrong with it."""
    if content is None:
        raise InputError("it is too long; give it a line of less than 256 KiB")
    try:
        line = content.decode().strip()
    except UnicodeDecodeError as error:
        raise InputError(f"it is not UTF-8 at byte {error.start}; encode it so") from error
    if not line.startswith("{"):
        return Item(line) if line else None
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise InputError(f"it is not JSON ({error}); write one object a line") from error
    found = next((row[name] for name in TEXT_FIELDS if row.get(name)), None)
    if not isinstance(found, str) or not found.strip():
        raise InputError(f"it has no text; give it one of {', '.join(TEXT_FIELDS)}")
    published = row.get("published")
    return Item(found, None if published is None else str(published))
