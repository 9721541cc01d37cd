"""``strop data from-feedback``: what callers said was right, as a file to train with."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass
from datetime import UTC, datetime
from pathlib import Path

from cyclopts import Parameter

from strop.errors import InputError
from strop.feedback import FeedbackStore, Stored
from strop.tasks import TASKS, Task

from ..console import console
from .formats import Row
from .summary import class_summary
from .votes import Key, Opinions, Ties, Verdict, gather, resolve
from .written import write_rows

PAIR_COLUMN = "text_pair"


@Parameter(name="*")
@dataclass(frozen=True)
class FromFeedbackConfig:
    """Which feedback becomes which file."""

    store: Path
    """The file that strop serve --feedback keeps; the server may go on writing it."""
    _: KW_ONLY
    out: Path
    """A JSONL file of the texts with a right label, which strop data split and strop train read. It must
    not exist."""
    unlabelled: Path | None = None
    """A JSONL file for the sampled texts that nobody said anything of, as strop train --unlabelled takes
    it. It must not exist."""
    ties: Ties = "latest"
    """A text that callers label differently gets the label that most gave. Where two have as many, the
    one given last counts, or the text is left out (drop)."""
    since: datetime | None = None
    """Answers from this time on, such as 2026-11-22 or 2026-11-22T14:30, in UTC."""
    model: str | None = None
    """Only answers of the model of this name; needed where the store has models of several tasks."""
    model_version: str | None = None
    """Only answers of this version of it."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` when something would be overwritten."""
        for name in ("out", "unlabelled"):
            path = getattr(self, name)
            if path is not None and path.exists():
                raise InputError(f"--{name} {path} exists; give another name, or remove it")
        if self.out == self.unlabelled:
            raise InputError(f"--unlabelled {self.out} is --out, too; give another name")


def from_feedback(config: FromFeedbackConfig) -> None:
    """Write the sampled texts that callers gave feedback on, each once, with the label most say is right.

    Beside text and label stand where it comes from: request_id, model, version, the label predicted
    with its confidence, votes of how many, when, and comments.
    """
    store = FeedbackStore.read_only(config.store)
    counts: Counter[str] = Counter()
    try:
        found = list(_wanted(config, store, counts))
    finally:
        store.close()
    if not found:
        raise InputError(f"{config.store} has no sampled text and no feedback{_filters(config)}")
    task = _task(config, found)
    texts = gather(found)
    counts["merged"] = sum(opinions.copies for opinions in texts.values())
    numbers = task.call == "Score"
    decided = {key: resolve(opinions.said, numbers=numbers) for key, opinions in texts.items()}
    classes: Counter[str] = Counter()
    labelled = write_rows(config.out, _labelled(config, task, texts, decided, counts, classes))
    shown = f" ({class_summary(classes)})" if classes else ""
    out = console()
    out.print(f"{config.out}: {labelled} texts{shown}")
    out.print(
        f"feedback: {counts['feedback']}; the same text again: {counts['merged']}; contested:"
        f" {counts['contested']}, tied: {counts['tied']}"
        f" ({'left out' if config.ties == 'drop' else 'the label given last'});"
        f" left out for want of a text: {counts['no text']}"
    )
    if config.unlabelled is not None:
        rest = (
            (opinions.first.request, _texts(task, opinions))
            for key, opinions in texts.items()
            if decided[key] is None
        )
        out.print(f"{config.unlabelled}: {write_rows(config.unlabelled, rest)} texts without feedback")


def _wanted(config: FromFeedbackConfig, store: FeedbackStore, counts: Counter[str]) -> Iterator[Stored]:
    since = config.since
    if since is not None and since.tzinfo is None:
        since = since.replace(tzinfo=UTC)
    for one in store.stored(since.timestamp() if since else 0.0):
        if config.model not in (None, one.by.name) or config.model_version not in (None, one.by.version):
            continue
        counts["feedback"] += len(one.corrections)
        counts["no text"] += one.answered.text is None
        yield one


def _filters(config: FromFeedbackConfig) -> str:
    given = [
        f"--{name.replace('_', '-')} {value}"
        for name in ("since", "model", "model_version")
        if (value := getattr(config, name)) is not None
    ]
    return f" for {' '.join(given)}; widen that" if given else "; serve with --feedback and --sample-share"


def _task(config: FromFeedbackConfig, found: list[Stored]) -> Task:
    names = sorted({(one.by.task, one.by.name) for one in found})
    tasks = sorted({task for task, _ in names})
    if len(tasks) > 1:
        models = ", ".join(f"{name} ({task})" for task, name in names)
        raise InputError(f"{config.store} has models of several tasks: {models}; choose one: --model")
    return TASKS[tasks[0]]


def _labelled(
    config: FromFeedbackConfig,
    task: Task,
    texts: Mapping[Key, Opinions],
    decided: Mapping[Key, Verdict | None],
    counts: Counter[str],
    classes: Counter[str],
) -> Iterator[Row]:
    for key, opinions in texts.items():
        verdict = decided[key]
        if verdict is None:
            continue
        counts["contested"] += verdict.contested
        counts["tied"] += verdict.tie
        if verdict.tie and config.ties == "drop":
            continue
        if isinstance(verdict.label, str):
            classes[verdict.label] += 1
        yield opinions.first.request, _row(task, opinions, verdict)


def _row(task: Task, opinions: Opinions, verdict: Verdict) -> dict[str, object]:
    first = opinions.first
    assert task.label_column is not None  # noqa: S101  # it has labels
    return {
        **_texts(task, opinions),
        task.label_column: verdict.label,
        "request_id": first.request,
        "model": opinions.by.name,
        "version": opinions.by.version,
        "predicted": first.label,
        "confidence": first.confidence,
        "votes": verdict.votes,
        "of": verdict.of,
        "said": datetime.fromtimestamp(opinions.said[-1].time, UTC).isoformat(timespec="seconds"),
        "comments": opinions.comments,
    }


def _texts(task: Task, opinions: Opinions) -> dict[str, object]:
    first = opinions.first
    pair = {} if first.pair is None else {task.pair_column or PAIR_COLUMN: first.pair}
    return {task.text_column: first.text, **pair}
