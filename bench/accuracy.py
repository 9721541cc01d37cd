"""Accuracy over the wire: the load's answers against the labels, beside the bundle's promise."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strop.errors import InputError
from strop.tasks import TASKS, Example, Result, Tally, Task

MANIFEST_FILE = "manifest.json"
SCHEMAS = ("strop.bundle/5", "strop.bundle/4", "strop.bundle/3")


class Answers:
    """The first answer to each text, and the texts that got another one later."""

    def __init__(self, task: Task) -> None:
        self.first: dict[int, Result] = {}
        """By the text's number."""
        self.changed: set[int] = set()
        """Texts whose answers depend on their batch-mates."""
        self._task = task

    def add(self, text: int, result: Result) -> None:
        """Take an answer to the text of that number."""
        first = self.first.setdefault(text, result)
        if first is not result and self._task.verdict(first) != self._task.verdict(result):
            self.changed.add(text)


@dataclass(frozen=True)
class Accuracy:
    """How right the answers were."""

    texts: int
    """Labelled texts that were answered at least once; each counts once, by its first answer."""
    of: int
    """Texts with a label in the file."""
    metrics: Mapping[str, float]
    """The task's, as far as the wire tells them."""
    margins: Mapping[str, float]
    """By metric, half the 95 % interval as an estimate for all ``of`` texts: see ``margins``."""
    changed: int
    """Texts whose later answer differed from their first."""


def measure_accuracy(task: Task, examples: Sequence[Example | None], answers: Answers) -> Accuracy | None:
    """Compare answers with the labels of the texts of the same numbers.

    ``None`` if no text has both, or if the task can't be scored by what its call tells.
    """
    labelled = {number: example for number, example in enumerate(examples) if example is not None}
    asked = sorted(labelled.keys() & answers.first)
    if not asked:
        return None
    tally = task.tally_results([answers.first[n] for n in asked], [labelled[n] for n in asked])
    if tally is None:
        return None
    score = task.score(tally.sum(axis=0))
    return Accuracy(
        len(asked),
        len(labelled),
        {name: float(score[name]) for name in task.wire_metrics},
        margins(task, tally, len(labelled)),
        len(answers.changed),
    )


def margins(task: Task, tally: Tally, of: int) -> dict[str, float]:
    """Half the 95 % interval of each metric, given the tallies [n, counts] of some of ``of`` texts.

    1.96 × sqrt((1 - n / of) × (n - 1) / n × Σ (s_i - s̄)²), s_i the score without text i: the jackknife
    (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 11) of a sample without
    replacement. For a share of right texts that is what Cochran has (Sampling Techniques, 1977, section
    3.2). 0 where all texts were asked; nothing for a single text, which tells no spread.
    """
    count = len(tally)
    if count >= of:
        return dict.fromkeys(task.wire_metrics, 0.0)
    if count < 2:
        return {}
    scale = (1 - count / of) * (count - 1) / count
    return {
        name: 1.96 * math.sqrt(scale * float(((without - without.mean()) ** 2).sum()))
        for name, without in task.score(tally.sum(axis=0) - tally).items()
        if name in task.wire_metrics
    }


@dataclass(frozen=True)
class Promise:
    """What a bundle's manifest says its variants are worth."""

    task: str
    default_variant: str
    metrics: Mapping[str, Mapping[str, float]]
    """By variant, the task's on the held-out split."""

    def require(self, task: Task) -> None:
        """``InputError`` unless it is a promise of models for that task."""
        if task.name != self.task:
            raise InputError(
                f"--promise is of another bundle: the server's model is for {task.name}, it is for"
                f" {self.task}"
            )

    def of(self, variant: str) -> tuple[str, Mapping[str, float]]:
        """The variant's name and metrics; the default's where the reply named none.

        Raises ``InputError`` if the manifest has no such variant: it is another bundle's.
        """
        name = variant or self.default_variant
        if name not in self.metrics:
            known = ", ".join(self.metrics)
            raise InputError(f"--promise is of another bundle: the server runs {name}, it has {known}")
        return name, self.metrics[name]


def read_promise(path: Path) -> Promise:
    """Read a bundle folder's manifest, or the manifest itself; ``InputError`` if it isn't one."""
    file = path / MANIFEST_FILE if path.is_dir() else path
    try:
        fields = json.loads(file.read_text(encoding="utf-8"))
        if fields["schema"] not in SCHEMAS:
            raise ValueError(f"its schema is {fields['schema']!r}, not {' or '.join(SCHEMAS)}")
        task = fields["task"]
        if task not in TASKS:
            raise ValueError(f"its task is {task!r} and this Strop knows {', '.join(TASKS)}")
        metrics = {
            variant["name"]: {name: float(variant["metrics"][name]) for name in TASKS[task].wire_metrics}
            for variant in fields["variants"]
        }
        return Promise(task, fields["default_variant"], metrics)
    except OSError as error:
        raise InputError(
            f"--promise {file} can't be read: {error.strerror}; name the bundle that is served"
        ) from error
    except KeyError as error:
        raise InputError(f"--promise {file} is not a bundle's manifest: {error} is missing") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"--promise {file} is not a bundle's manifest: {error}") from error
