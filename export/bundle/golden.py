"""Golden examples: held-out texts with the fp32 reference's outputs, sealed into the bundle."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .tokenizer import Text


@dataclass(frozen=True)
class GoldenExample:
    """A text or a pair, and the reference's output for it."""

    text: Text
    output: NDArray[np.float32]
    """What a server is told: mostly [outputs], or [tokens, outputs]."""
    window: int = 0
    """The window of the text that the output is of."""


def write_golden(path: Path, examples: Iterable[GoldenExample]) -> None:
    """Write one JSON object a line."""
    rows = (
        {"text": example.text, "window": example.window, "output": example.output.tolist()}
        for example in examples
    )
    lines = (json.dumps(row, ensure_ascii=False) for row in rows)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_golden(path: Path) -> list[GoldenExample]:
    """Read what ``write_golden`` wrote."""
    with path.open(encoding="utf-8") as lines:  # splitlines would also cut at U+2028 in a text
        rows = [json.loads(line) for line in lines]
    return [
        GoldenExample(
            tuple(row["text"]) if isinstance(row["text"], list) else row["text"],
            np.array(row["output"], dtype=np.float32),
            row.get("window", 0),
        )
        for row in rows
    ]
