"""What a column of a row must hold: a text, or the name of a class."""

from collections.abc import Mapping

from strop.errors import InputError


def text_of(where: str, row: Mapping[str, object], column: str, option: str = "--text-column") -> str:
    """A text with something in it; ``InputError`` with the place, the value and the fix."""
    value = _value(where, row, column, option)
    if value is None or value == "":
        raise InputError(f"{where}: {column!r} is empty; give it a text or remove the row")
    if not isinstance(value, str):
        raise InputError(f"{where}: {column!r} is {value!r:.60}, not text; quote it")
    if not value.strip():
        raise InputError(f"{where}: {column!r} is blank; give it a text or remove the row")
    return _unicode(where, column, value)


def label_of(where: str, row: Mapping[str, object], column: str, option: str = "--label-column") -> str:
    """The name of a class, which may be a whole number; ``InputError`` as ``text_of``."""
    value = _value(where, row, column, option)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise InputError(f"{where}: {column!r} is empty; give it a class name or remove the row")
    if not isinstance(value, str):
        raise InputError(f"{where}: {column!r} is {value!r:.60}; a class is a name or whole number")
    return _unicode(where, column, value)


def _value(where: str, row: Mapping[str, object], column: str, option: str) -> object:
    if column not in row:
        there = ", ".join(map(str, row)) or "no column"
        raise InputError(f"{where} has no column {column!r}; it has: {there} (see {option})")
    return row[column]


def _unicode(where: str, column: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: {column!r} holds half a surrogate pair at character {error.start};"
            " write the whole character"
        ) from error
    return value
