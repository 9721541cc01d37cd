"""Labels from a teacher for texts without, where it is sure.

Lee, "Pseudo-Label: The Simple and Efficient Semi-Supervised Learning Method for Deep Neural Networks",
2013; with a floor for the confidence as Sohn et al., "FixMatch", NeurIPS 2020.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from strop.errors import InputError
from strop.tasks import Example

from .additions import HELD_OUT, KNOWN, Addition, held_out_keys, key
from .data.splits import Splits
from .examples import Columns, read_unlabelled
from .run import Run
from .trained_model import TrainedModel


def pseudo_labelled(
    teacher: Path, texts: Path, floor: float, columns: Columns, splits: Splits, *, ask: bool = True
) -> Addition:
    """The ``texts`` that the run ``teacher`` is sure of, each once, with the labels that it gives them.

    Texts of the data themselves are left out. With ``ask=False`` files and run are checked only. Raises
    ``InputError`` for a file that can't be read, and for a run of another task or other labels.
    """
    run = Run.open(teacher)
    run.require_same_question(columns, "--teacher")
    if sorted(run.labels) != sorted(splits.labels):
        raise InputError(
            f"--teacher {teacher} knows the labels {', '.join(run.labels)}, and the data has"
            f" {', '.join(splits.labels)}; give a run of the same labels"
        )
    found = {key(one): one for one in _read(texts, columns)}
    held_out, train = held_out_keys(splits), frozenset(map(key, splits.train))
    left_out = Counter[str]()
    asked = []
    for mark, example in found.items():
        if mark in held_out:
            left_out[HELD_OUT] += 1
        elif mark in train:
            left_out[KNOWN] += 1
        else:
            asked.append(example)
    guesses = TrainedModel.of(run).guess(asked) if ask and asked else []
    sure = [
        replace(example, label=label)
        for example, (label, confidence) in zip(asked, guesses, strict=False)
        if confidence >= floor
    ]
    left_out[f"its confidence is below {floor:g}"] = len(asked) - len(sure)
    return Addition(f"teacher {run.root.resolve().name}", sure, dict(left_out))


def _read(path: Path, columns: Columns) -> Sequence[Example]:
    found = read_unlabelled(path, columns)
    if not found:
        raise InputError(f"--unlabelled {path} has no rows; give texts, or leave it out")
    return found
