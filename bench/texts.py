"""The texts of a benchmark, with the labels that they should get."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from strop.errors import InputError


@dataclass(frozen=True)
class Texts:
    """Texts in the order of the file."""

    texts: tuple[str, ...]
    labels: tuple[str | None, ...]
    """The right label of each text, or ``None`` where the file gives none."""


def read_texts(path: Path) -> Texts:
    """Read JSONL with ``text`` and maybe ``label``; ``InputError`` names the line and the fix."""
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except UnicodeDecodeError as error:
        raise InputError(f"--texts {path} is not UTF-8: {error}; convert it") from error
    except OSError as error:
        raise InputError(f"--texts {path} can't be read: {error.strerror}") from error
    rows = [_row(line, f"--texts {path}, line {n}") for n, line in enumerate(lines, 1) if line.strip()]
    if not rows:
        raise InputError(f"--texts {path} is empty; give at least one line with a text")
    return Texts(tuple(text for text, _ in rows), tuple(label for _, label in rows))


def group(count: int, per_call: int, seed: int) -> list[tuple[int, ...]]:
    """Text numbers of each call: every text once, in random order; the last call is filled up.

    Going round the calls therefore asks every text before it repeats one.
    """
    order = np.random.default_rng(seed).permutation(count)
    starts: Sequence[int] = range(0, count, per_call)
    return [tuple(int(order[(start + i) % count]) for i in range(per_call)) for start in starts]


def _row(line: str, where: str) -> tuple[str, str | None]:
    try:
        fields = json.loads(line)
    except json.JSONDecodeError as error:
        raise InputError(f"{where} is not JSON: {error}") from error
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str):
        raise InputError(f'{where} has no "text"; write {{"text": "…", "label": "…"}}')
    label = fields.get("label")
    return fields["text"], None if label is None else str(label)
