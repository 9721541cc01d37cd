"""``strop data sentiment`` and ``encoder``: the demonstration's sentences and model."""

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.errors import InputError
from strop.host import default_cache

from ..console import console
from .shares import Shares
from .sources import ENCODER, SENTENCE_KINDS, SENTENCES, Source, fetch, pip_download
from .written import write_splits

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


def sentiment(config: SentimentConfig, *, shares: Shares | None = None) -> None:
    """Write human-rated reviews, tweets and editorials as a three-class sentiment data set."""
    shares = shares or Shares()
    rows = list(_rated(_fetched(SENTENCES, config.cache), config))
    # Of a sentence that came twice the first is kept, at its place.
    first = {row["text"]: (where, row) for where, row in reversed(rows)}
    kept = reversed(first.items())
    write_splits(config.out, ((shares.split_of(text), row) for text, row in kept))
    console(stderr=True).print(f"dropped {len(rows) - len(first)} sentences that came twice")


def encoder(*, cache: CacheFolder = None) -> None:
    """Fetch a small English encoder, MiniLM-L6 (91 MB), and print its folder for --model."""
    console().print(str(_fetched(ENCODER, cache)))


def _rated(folder: Path, config: SentimentConfig) -> Iterator[tuple[str, dict[str, str]]]:
    for kind in SENTENCE_KINDS:
        # Not splitlines(): a sentence may hold a character that ends a line there.
        lines = (folder / f"{kind}.tsv").read_text(encoding="utf-8").split("\n")
        for number, line in enumerate(lines, start=1):
            if line:
                _, rating, text = line.split("\t", 2)
                row = {"text": text.strip(), "label": config.label(float(rating)), "source": kind}
                yield f"{kind}.tsv line {number}", row


def _fetched(source: Source, cache: Path | None) -> Path:
    place = default_cache() if cache is None else cache
    if not source.folder(place).is_dir():
        console(stderr=True).print(f"downloading {source.requirement} to {place}")
    return fetch(source, place, pip_download)
