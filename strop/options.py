"""What the option classes of all stages share: a field's flag, and the check of its lower bound."""

from .errors import InputError


def flag(name: str) -> str:
    """The command-line flag of a field; one that Python reserves a word of ends in an underscore."""
    return "--" + name.rstrip("_").replace("_", "-")


def require_at_least(options: object, **bounds: float) -> None:
    """Raise ``InputError`` for the first field that is below its bound, or is not a number."""
    for name, least in bounds.items():
        value = getattr(options, name)
        if not value >= least:
            raise InputError(f"{flag(name)} is {value}; it must be at least {least}")
