"""What joins the data's own training texts before anything is learnt, and the file that keeps it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from strop.tasks import Example, Label, Task

from .data.content import normalised
from .data.splits import Splits
from .draft import write_json

ADDED_FILE = "added.json"
HELD_OUT = "held out"
"""Why an example is left out that the model is to be judged by."""
KNOWN = "in the data already"


@dataclass(frozen=True)
class Addition:
    """Examples of one origin."""

    origin: str
    """What made or gave them."""
    examples: Sequence[Example]
    left_out: Mapping[str, int] = field(default_factory=dict)
    """How many others were left out, by reason."""

    def __str__(self) -> str:
        reasons = [f"{count:,} left out: {reason}" for reason, count in self.left_out.items() if count]
        return "; ".join((f"{len(self.examples):,} training texts added by {self.origin}", *reasons))

    def record(self, task: Task) -> dict[str, Any]:
        """For run.json: how many there are, also of each label."""
        labels = Counter(task.named(self.examples))
        return {
            "origin": self.origin,
            "examples": len(self.examples),
            "labels": dict(sorted(labels.items())),
            "left_out": dict(self.left_out),
        }


def write_additions(folder: Path, additions: Sequence[Addition]) -> None:
    """Keep them in a run's directory, if there are any, so that a resumed run learns from the same."""
    if additions:
        rows = [
            {
                "origin": one.origin,
                "left_out": one.left_out,
                "examples": [vars(example) for example in one.examples],
            }
            for one in additions
        ]
        write_json(folder / ADDED_FILE, {"additions": rows})


def read_additions(folder: Path) -> tuple[Addition, ...] | None:
    """Those that an unfinished run began with; None if it keeps none."""
    path = folder / ADDED_FILE
    if not path.is_file():
        return None
    return tuple(
        Addition(
            row["origin"],
            [Example(**one | {"label": _label(one["label"])}) for one in row["examples"]],
            row["left_out"],
        )
        for row in json.loads(path.read_text(encoding="utf-8"))["additions"]
    )


def key(example: Example) -> tuple[str, ...]:
    """What tells an example's text from another's: neither case, nor blanks, nor Unicode form."""
    return tuple(normalised(text) for text in (example.text, example.pair) if text is not None)


def held_out_keys(splits: Splits) -> frozenset[tuple[str, ...]]:
    """The ``key`` of every example that chooses or judges."""
    return frozenset(map(key, (*splits.validation, *splits.test)))


def _label(value: Any) -> Label:
    label: Label = tuple(value) if isinstance(value, list) else value
    return label
