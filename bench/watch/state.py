"""What a watch knows, kept in a file so that the next one goes on from there."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Self

from strop.errors import InputError
from strop.staging import replace_file

from .follow import Place
from .surge import Watch

SCHEMA = "strop.watch/1"


@dataclass
class State:
    """How far it came, and what it learnt."""

    place: Place | None = None
    out_bytes: int = 0
    """Of the output that goes with it: what stands behind was written by a watch that was cut off."""
    alarms: int = 0
    watches: dict[str, Watch] = field(default_factory=dict)
    """By topic."""

    @classmethod
    def load(cls, path: Path | None) -> Self:
        """Read one, or begin it; ``InputError`` for a file that isn't one."""
        if path is None or not path.exists():
            return cls()
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
            if fields.pop("schema") != SCHEMA:
                raise ValueError(f"its schema is not {SCHEMA}")
            place = fields.pop("place")
            watches = {topic: Watch(**known) for topic, known in fields.pop("watches").items()}
            return cls(Place(**place) if place else None, watches=watches, **fields)
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(f"--state {path} can't be read: {error}; remove it to begin anew") from error

    def save(self, path: Path) -> None:
        """Write it; whoever reads the file sees all of it."""
        replace_file(path, json.dumps({"schema": SCHEMA, **asdict(self)}) + "\n")
