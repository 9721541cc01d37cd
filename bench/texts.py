"""The texts of a benchmark, with the labels that they should get."""

import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

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


def read_texts(path: Path, columns: Columns) -> Texts:
    """Read JSONL with texts and maybe labels; ``InputError`` names the line and the fix."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"--texts {path} is not UTF-8: {error}; convert it") from error
    except OSError as error:
        raise InputError(f"--texts {path} can't be read: {error.strerror}") from error
    rows = [
        _row(line, f"--texts {path}, line {n}", columns) for n, line in enumerate(lines, 1) if line.strip()
    ]
    if not rows:
        raise InputError(f"--texts {path} is empty; give at least one line with a text")
    texts, examples, arrived = zip(*rows, strict=True)
    return Texts(texts, examples, _trace(arrived, f"--texts {path}"))


def group(count: int, per_call: int, seed: int | None) -> list[tuple[int, ...]]:
    """Text numbers of each call: every text once, in random order; the last call is filled up.

    Going round the calls therefore asks every text before it repeats one. ``seed`` ``None`` keeps
    the order of the file.
    """
    order = np.arange(count) if seed is None else np.random.default_rng(seed).permutation(count)
    starts: Sequence[int] = range(0, count, per_call)
    return [tuple(int(order[(start + i) % count]) for i in range(per_call)) for start in starts]


def _row(line: str, where: str, columns: Columns) -> tuple[Text, Example | None, float | None]:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON: {error}") from error
    if not isinstance(fields, dict):
        raise InputError(f'{where} is not an object; write {{"{columns.texts[0]}": "…"}}')
    text, example = columns.read(where, fields)
    arrived = fields.get("arrived")
    if arrived is not None and (type(arrived) not in (int, float) or not math.isfinite(arrived)):
        raise InputError(f'{where}: "arrived" is {arrived!r}; it must be a number of seconds')
    return text, example, arrived


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
