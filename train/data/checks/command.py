"""``strop data check``: what is wrong with labelled data, row by row."""

import json
import sys
from collections import Counter
from dataclasses import KW_ONLY, asdict, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from strop.errors import StropError
from strop.options import require_at_least

from ...console import console


@Parameter(name="*")
@dataclass(frozen=True)
class CheckConfig:
    """What to check, and against which model."""

    data: Path
    """A labelled file, or a folder with some of train, validation and test. JSONL, CSV, TSV, Parquet, CoNLL
    columns, SQuAD JSON, each but Parquet also .gz, or what datasets saved."""
    _: KW_ONLY
    text_column: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ()
    """The column with the text; several where a row is a pair. Default: as in strop data split."""
    label_column: str | None = None
    """The column to predict. Default: label, labels, score, tags or answers, which the data has."""
    model: str | None = None
    """A model folder or hub id, to count lengths in its tokens. Default: words and characters."""
    max_tokens: int = 256
    """What of a text will be trained on, with --model; rows above it, or above what the model takes,
    are listed."""
    suspect_odds: float = 20.0
    """How many times likelier than its own label another must be for a row to be suspect. Raise it
    for fewer and surer ones."""
    suspects: bool = True
    """Look for labels that the other rows contradict. It takes most of the time: seconds for two
    classes, a minute for a hundred."""
    json: Annotated[bool, Parameter(negative="")] = False
    """Print everything as JSON, with every row of every finding."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, max_tokens=3, suspect_odds=1)


def check(config: CheckConfig) -> None:
    """Find duplicates, leaks between splits, doubtful labels, empty rows and texts that are too long.

    Exit code 1 when something would spoil a score, 0 when nothing would, 2 for a file that can't be
    read. Rows are named by line, or by row where a format has no lines.
    """
    # Not at the top: the options' help must not wait for scikit-learn.
    from .entries import Entries
    from .survey import Survey

    entries = Entries.read(config.data, config.text_column, config.label_column)
    survey = Survey.of(
        entries,
        model=config.model,
        max_tokens=config.max_tokens,
        odds=config.suspect_odds if config.suspects else None,
    )
    if config.json:
        sys.stdout.write(json.dumps({"data": str(config.data), **asdict(survey)}, indent=2) + "\n")
    else:
        # The reader has typed where the data lies.
        folder = f"{config.data if config.data.is_dir() else config.data.parent}/"
        for part in survey.parts():
            console().print(part.replace(folder, "") if isinstance(part, str) else part)
    spoiling = Counter(finding.check for finding in survey.findings if finding.spoils)
    if spoiling:
        found = ", ".join(f"{name} ({count})" for name, count in spoiling.items())
        raise StropError(f"{config.data} would spoil a score: {found}")
