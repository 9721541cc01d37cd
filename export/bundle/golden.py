"""Golden examples: held-out texts with the fp32 reference's outputs, sealed into the bundle."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strop.errors import InputError

from .bounds import TEXT_FILE_BYTES, require_size
from .tokenizer import Text
from .typed import parse


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
    """Read what ``write_golden`` wrote; ``InputError`` names the line that isn't an example."""
    require_size(path, TEXT_FILE_BYTES)
    examples: list[GoldenExample] = []
    try:
        with path.open(encoding="utf-8") as lines:  # splitlines would also cut at U+2028 in a text
            for line in lines:
                examples.append(_example(parse(line)))  # noqa: PERF401 - the count names a wrong line
    except ValueError as error:
        raise InputError(f"{path} line {len(examples) + 1}: {error}; export the run again") from error
    return examples


def _example(row: Any) -> GoldenExample:
    if not isinstance(row, dict) or not row.keys() >= {"text", "output"}:
        raise ValueError("it should be an object with text and output")
    texts, window = row["text"], row.get("window", 0)
    for text in texts if isinstance(texts, list) and len(texts) == 2 else [texts]:
        if not isinstance(text, str):
            raise ValueError("text should be a text or a pair of them")
        text.encode()
    if type(window) is not int or window < 0:
        raise ValueError(f"window is {window!r} and should be a whole number from 0 on")
    try:
        output = np.array(row["output"], dtype=np.float32)
    except (TypeError, OverflowError) as error:
        raise ValueError("output should be numbers") from error
    if not output.size or not np.isfinite(output).all():
        raise ValueError("output should be finite numbers")
    return GoldenExample(tuple(texts) if isinstance(texts, list) else texts, output, window)
