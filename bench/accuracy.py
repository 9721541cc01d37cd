"""Accuracy over the wire: the load's answers against the labels, beside the bundle's promise."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from strop.errors import InputError

MANIFEST_FILE = "manifest.json"
SCHEMA = "strop.bundle/3"


@dataclass(frozen=True)
class Accuracy:
    """How right the answers were."""

    texts: int
    """Labelled texts that were answered at least once; each counts once, by its first answer."""
    of: int
    """Texts with a label in the file."""
    accuracy: float
    macro_f1: float
    changed: int
    """Texts whose later answer differed from their first: answers that depend on batch-mates."""

    @property
    def margin(self) -> float:
        """Half the 95 % interval of ``accuracy`` as an estimate for all ``of`` texts.

        1.96 x sqrt(a (1 - a) / n x (N - n) / (N - 1)), 0 for n = N: sampling without replacement
        (Cochran, Sampling Techniques, 1977, section 3.2).
        """
        if self.texts >= self.of:
            return 0.0
        missing = (self.of - self.texts) / (self.of - 1)
        return 1.96 * math.sqrt(self.accuracy * (1 - self.accuracy) / self.texts * missing)


def measure_accuracy(labels: Sequence[str | None], answers: Iterable[tuple[int, str]]) -> Accuracy | None:
    """Compare (text number, label) answers with the right labels; ``None`` if no text has both."""
    first: dict[int, str] = {}
    changed = set()
    for text, label in answers:
        if first.setdefault(text, label) != label:
            changed.add(text)
    pairs = [(truth, first[n]) for n, truth in enumerate(labels) if truth is not None and n in first]
    if not pairs:
        return None
    right = sum(truth == answer for truth, answer in pairs)
    labelled = sum(label is not None for label in labels)
    return Accuracy(len(pairs), labelled, right / len(pairs), macro_f1(pairs), len(changed))


def macro_f1(pairs: Sequence[tuple[str, str]]) -> float:
    """The unweighted mean of F1 over every class among the (truth, answer) pairs.

    F1 = 2 TP / (2 TP + FP + FN), as scikit-learn's ``f1_score(average="macro")`` has it.
    """
    classes = {label for pair in pairs for label in pair}
    scores = []
    for label in classes:
        hits = sum(truth == answer == label for truth, answer in pairs)
        mentions = sum((truth == label) + (answer == label) for truth, answer in pairs)
        scores.append(2 * hits / mentions)
    return sum(scores) / len(scores)


@dataclass(frozen=True)
class Promise:
    """What a bundle's manifest says its variants are worth."""

    default_variant: str
    metrics: Mapping[str, Mapping[str, float]]
    """By variant: ``accuracy`` and ``macro_f1`` on the held-out split."""

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
        if fields["schema"] != SCHEMA:
            raise ValueError(f"its schema is {fields['schema']!r}, not {SCHEMA!r}")
        metrics = {
            variant["name"]: {name: float(variant["metrics"][name]) for name in ("accuracy", "macro_f1")}
            for variant in fields["variants"]
        }
        return Promise(fields["default_variant"], metrics)
    except OSError as error:
        raise InputError(f"--promise {file} can't be read: {error.strerror}") from error
    except KeyError as error:
        raise InputError(f"--promise {file} is not a bundle's manifest: {error} is missing") from error
    except (ValueError, TypeError) as error:
        raise InputError(f"--promise {file} is not a bundle's manifest: {error}") from error
