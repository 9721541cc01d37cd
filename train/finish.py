"""Trained weights to a finished run: scored as they were saved, beside what they must beat."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from strop.host import read_host, read_versions

from .additions import write_additions
from .augmentation.copies import with_typos
from .baseline import score_baselines, token_frequencies
from .config import TrainConfig
from .console import console
from .continuing import Continued, forgetting
from .cost import TrainingCost
from .data.shares import SPLITS
from .data.splits import Splits
from .device import arithmetic
from .draft import Draft
from .heads import HEADS
from .plots import CONFUSION_MATRIX, LOSS_CURVE, draw_confusion_matrix, draw_loss_curve
from .prepare import Prepared
from .processes import process_count
from .report import REPORT_FILE, Beside, Report
from .run import TOKENIZER_FOLDER
from .trained_model import TrainedModel
from .weights import load_to_score

PACKAGES = ("accelerate", "numpy", "peft", "scikit-learn", "tokenizers", "torch", "transformers")


@dataclass(frozen=True)
class Training:
    """What a training left beside the weights."""

    history: list[dict[str, Any]]
    """As ``fit`` returns it."""
    cost: TrainingCost


def keep_beginnings(draft: Draft, config: TrainConfig, splits: Splits, ready: Prepared) -> None:
    """Keep in the run what it learnt from beside the data, and the model that it started from."""
    write_additions(draft.root, ready.additions)
    if isinstance(ready.encoder, Continued) and config.method != "full":  # whose model is whole
        ready.encoder.save(splits.task, ready.labels)


def finish(
    draft: Draft,
    config: TrainConfig,
    splits: Splits,
    ready: Prepared,
    trained: Training,
    started: float,
    further: Mapping[str, Any] | None = None,
) -> Report:
    """Score the weights that lie in the run directory, and write the rest of it.

    ``started`` is when, by the monotonic clock; ``further`` facts join the record.
    """
    console(stderr=True).print("scoring the validation and test splits, and baselines")
    ready.preprocessing.tokenizer.save_pretrained(draft.root / TOKENIZER_FOLDER)
    keep_beginnings(draft, config, splits, ready)
    finished = load_to_score(draft.root, ready.encoder.name, splits.task, ready.labels, config.method)
    judged = TrainedModel(finished, ready.preprocessing)
    report = _report(config, splits, ready, judged, trained.cost)
    _draw(draft, report, ready.labels, trained.history)
    draft.finish(
        {
            "validation": report.validation.as_json(),
            "test": report.test.as_json(),
            "baselines": report.baselines,
            "beside": {name: asdict(one) | {"change": one.change} for name, one in report.beside.items()},
            "warnings": report.warnings,
        },
        trained.history,
        _record(config, ready.encoder.name, splits, ready.labels, started)
        | {
            "training": asdict(trained.cost),
            "additions": [addition.record(splits.task) for addition in ready.additions],
        }
        | dict(further or {}),
    )
    return report


def _report(
    config: TrainConfig, splits: Splits, ready: Prepared, model: TrainedModel, cost: TrainingCost
) -> Report:
    """Scores of the model as it was read back from disk, beside what it must beat."""
    validation, test = model.score(splits.validation), model.score(splits.test)
    beside = {}
    if config.test_typos:
        typos = model.score(with_typos(splits.test, config.test_typos)).metrics
        texts = f"test split, {config.test_typos:.0%} of its words misspelt"
        beside["typos"] = Beside(texts, typos, "test split", test.metrics)
    if isinstance(ready.encoder, Continued):
        beside["forgetting"] = forgetting(ready.encoder, model)
    return Report(
        config.method,
        validation,
        test,
        _baselines(splits, ready, model),
        cost,
        splits.task.lower_is_better,
        beside,
        ready.warnings,
        arithmetic(config.precision),
    )


def _baselines(splits: Splits, ready: Prepared, model: TrainedModel) -> dict[str, Mapping[str, float]]:
    """Scores on the test split of what was there before ``model``, or needs none."""
    task = splits.task
    if not HEADS[task.head].pretrained:
        return score_baselines(task, splits.train, splits.test, splits.labels)
    before, new = ready.encoder.model(task, ready.labels)
    if not new:
        untrained = replace(model, model=before.train(False))
        return {f"{Path(ready.encoder.name).name}, not fine-tuned": untrained.score(splits.test).metrics}
    train, test = ready.encoded["train"], ready.encoded["test"]
    guesses = token_frequencies(train, test, before.config.vocab_size)
    return {"most frequent token": test.score(task, guesses, ready.labels).metrics}


def _draw(
    draft: Draft, report: Report, labels: Sequence[str], history: Sequence[Mapping[str, Any]]
) -> None:
    # Errors are on a scale of their own, and most are the loss in another form.
    drawn = [name for name in report.test.metrics if name not in report.lower_is_better]
    draw_loss_curve(draft.root / LOSS_CURVE, history, drawn)
    if report.test.confusion:
        draw_confusion_matrix(draft.root / CONFUSION_MATRIX, report.test, labels)
    markdown = report.markdown(draft.settings)
    (draft.root / REPORT_FILE).write_text(markdown, encoding="utf-8")


def _record(
    config: TrainConfig, base_model: str, splits: Splits, labels: Sequence[str], started: float
) -> dict[str, Any]:
    """Where a run comes from; its options are recorded beside it."""
    on_gpu = torch.cuda.is_available()
    return {
        "finished": datetime.now(UTC).isoformat(timespec="seconds"),
        "wall_seconds": round(time.monotonic() - started, 1),
        "labels": labels,
        "data": {
            "path": str(config.data.resolve()),
            "sha256": splits.sha256,
            "examples": {name: len(splits.parts[name]) for name in SPLITS},
        },
        "base_model": base_model,
        "versions": read_versions(PACKAGES),
        "host": asdict(read_host()),
        "device": torch.cuda.get_device_name() if on_gpu else "cpu",
        "precision": arithmetic(config.precision),
        "processes": process_count(),
    }
