"""What a check has found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """One fault, in one row or in several together."""

    check: str
    """What kind of fault it is, such as ``leak``."""
    spoils: bool
    """Whether a score is wrong, or training refused, as long as it is there."""
    rows: tuple[str, ...]
    """The places, such as ``train.jsonl line 7``."""
    note: str
