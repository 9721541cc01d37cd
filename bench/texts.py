"""The texts of a benchmark, with the labels that they should get."""

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from strop.errors import InputError
from strop.tasks import Example

from .columns import Columns, Text


@dataclass(frozen=True)
class Texts:
    """Texts in the order of the file."""

    texts: tuple[Text, ...]
    examples: tuple[Example | None, ...]
    """Each text with its right label, or ``None`` where the file gives none."""
    arrived: tuple[float, ...] = ()
    """When each text arrived, in seconds and never earlier than the one before; empty if not told."""


@dataclass(frozen=True)
class Rows:
    """A file of texts as it stands there, for which no task has been asked yet."""

    fields: tuple[tuple[str, Mapping[str, Any]], ...]
    """Of each line that has any: where that is, for a message, and its columns."""
    arrived: tuple[float, ...]
    """See ``Texts``."""

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read JSONL; ``InputError`` names the line and the fix."""
        try:
            lines = path.read_text(encoding="utf-8").split("\n")
        except UnicodeDecodeError as error:
            raise InputError(f"--texts {path} is not UTF-8: {error}; convert it") from error
        except OSError as error:
            raise InputError(f"--texts {path} can't be read: {error.strerror}") from error
        places = [(f"--texts {path}, line {n}", line) for n, line in enumerate(lines, 1) if line.strip()]
        if not places:
            raise InputError(f"--texts {path} is empty; give at least one line with a text")
        rows = tuple((where, _fields(where, line)) for where, line in places)
        arrived = [_arrived(where, fields) for where, fields in rows]
        return cls(rows, _trace(arrived, f"--texts {path}"))

    def texts(self, columns: Columns) -> Texts:
        """Their texts and maybe labels; ``InputError`` as ``read``."""
        texts, examples = zip(*(columns.read(*row) for row in self.fields), strict=True)
        return Texts(texts, examples, self.arrived)


def read_texts(path: Path, columns: Columns) -> Texts:
    """The texts of a file whose task is known; raises as ``Rows`` does."""
    return Rows.read(path).texts(columns)


def group(count: int, per_call: int, seed: int | None) -> list[tuple[int, ...]]:
    """Text numbers of each call: every text once, in random order; the last call is filled up.

    Going round the calls therefore asks every text before it repeats one. ``seed`` ``None`` keeps
    the order of the file.
    """
    order = np.arange(count) if seed is None else np.random.default_rng(seed).permutation(count)
    starts: Sequence[int] = range(0, count, per_call)
    return [tuple(int(order[(start + i) % count]) for i in range(per_call)) for start in starts]


def _fields(where: str, line: str) -> Mapping[str, Any]:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InputError(f'{where} is not an object; write {{"text": "…"}}')
    return fields


def _arrived(where: str, fields: Mapping[str, Any]) -> float | None:
    arrived: float | None = fields.get("arrived")
    if arrived is not None and (type(arrived) not in (int, float) or not math.isfinite(arrived)):
        raise InputError(f'{where}: "arrived" is {arrived!r}; it must be a number of seconds')
    return arrived


def _trace(arrived: Sequence[float | None], where: str) -> tuple[float, ...]:
    """The arrivals, or nothing if no line tells one; ``InputError`` if only some do or time runs back."""
    times = tuple(time for time in arrived if time is not None)
    if times and len(times) < len(arrived):
        raise InputError(
            f'{where}: only {len(times)} of {len(arrived)} lines have "arrived"; all or none must'
        )
    if any(later < earlier for earlier, later in itertools.pairwise(times)):
        raise InputError(f'{where}: "arrived" runs backwards; sort the lines by it')
    if times and times[0] == times[-1]:
        raise InputError(
            f'{where}: every text has "arrived" {times[0]:g}; a trace needs two different times'
        )
    return times
