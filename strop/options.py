"""What the option classes of all stages share: flags and values as they are typed, and lower bounds."""

from collections.abc import Mapping
from typing import Any

from .errors import InputError


def flag(name: str) -> str:
    """The command-line flag of a field; one that Python reserves a word of ends in an underscore."""
    return "--" + name.rstrip("_").replace("_", "-")


def as_typed(value: Any) -> str | None:
    """A value as the user would type it; None for a flag that is off or an option that is empty."""
    if isinstance(value, tuple | list):
        return " ".join(map(str, value)) or None
    if value is None or value is False or value in ("", {}):
        return None
    return "on" if value is True else str(value)


def all_as_typed(settings: Mapping[str, Any]) -> dict[str, str]:
    """Values by flag of options by field name; without those that are off or empty."""
    typed: dict[str, str] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):  # such as --space.learning-rate 1e-4 1e-3
            typed |= all_as_typed({f"{name}.{key}": one for key, one in value.items()})
        elif (text := as_typed(value)) is not None:
            typed[flag(name)] = text
    return typed


def require_at_least(options: object, **bounds: float) -> None:
    """Raise ``InputError`` for the first field that is below its bound, or is not a number."""
    for name, least in bounds.items():
        value = getattr(options, name)
        if not value >= least:
            raise InputError(f"{flag(name)} is {value}; it must be at least {least}")
