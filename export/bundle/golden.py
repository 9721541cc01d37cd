"""Golden examples: held-out texts with the fp32 reference's answers, sealed into the bundle."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True)
class GoldenExample:
    """A text and the reference's probabilities, one per label."""

    text: str
    probabilities: tuple[float, ...]


def write_golden(path: Path, examples: Iterable[GoldenExample]) -> None:
    """Write one JSON object a line."""
    lines = (json.dumps(asdict(example), ensure_ascii=False) for example in examples)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def read_golden(path: Path) -> list[GoldenExample]:
    """Read what ``write_golden`` wrote."""
    with path.open(encoding="utf-8") as lines:  # splitlines would also cut at U+2028 in a text
        rows = [json.loads(line) for line in lines]
    return [GoldenExample(row["text"], tuple(row["probabilities"])) for row in rows]
