"""Labelled data and an encoder to a finished run."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from rich.console import Console
from transformers import PreTrainedModel, PreTrainedTokenizerFast, TrainerCallback, set_seed

from strop.host import read_host, read_versions
from strop.tasks import Task

from .additions import Addition, read_additions, write_additions
from .augmentation.copies import with_typos
from .baseline import score_baselines, token_frequencies
from .batches import EncodedSplit, rows_of
from .compiled import require_compiler
from .config import TrainConfig
from .continuing import Continued, forgetting, joined_labels, leaks
from .cost import TrainingCost
from .data.shares import SPLITS
from .data.splits import Splits
from .device import arithmetic
from .draft import Draft
from .encoder import Encoder, tells_pairs_apart
from .encoding import encode
from .finished import FinishedModel
from .heads import HEADS
from .loop import fit, steps_per_epoch
from .losses.objective import Objective, make_objective
from .on_demand import Spooled
from .out_of_memory import named_remedies
from .plots import CONFUSION_MATRIX, LOSS_CURVE, draw_confusion_matrix, draw_loss_curve
from .processes import is_main, process_count, require_company, require_one_gpu_each
from .report import REPORT_FILE, Beside, Report
from .run import TOKENIZER_FOLDER, Run
from .speed import Speedometer
from .weights import load_to_score, save_weights, trainable
from .widening import widen

PACKAGES = ("accelerate", "numpy", "peft", "scikit-learn", "tokenizers", "torch", "transformers")


@dataclass(frozen=True)
class Prepared:
    """What is trained, on what."""

    encoder: Encoder
    tokenizer: PreTrainedTokenizerFast
    labels: Sequence[str]
    """The names of the model's outputs."""
    additions: Sequence[Addition]
    """What the training split was widened by."""
    encoded: Mapping[str, EncodedSplit]
    """By split; that for training is the widened one."""
    model: PreTrainedModel | PeftModel
    objective: Objective
    steps: int
    """Of the optimiser, unless training stops early."""
    warnings: tuple[str, ...]
    """What will make a score too good."""


def prepare(config: TrainConfig, splits: Splits) -> Prepared:
    """Load and check everything that training needs; nothing is written.

    Raises ``InputError`` when the model, the data, the options and the machine don't fit together.
    """
    arithmetic(config.precision)
    require_one_gpu_each()
    require_company(splits.task, config.batch_size)
    if config.compile:
        require_compiler()
    torch.set_num_threads(config.thread_count)
    encoder = _beginning(config, splits.task)
    labels = joined_labels(encoder.run, splits.labels) if isinstance(encoder, Continued) else splits.labels
    encoder.require_tokens(config.max_tokens, config.extra_tokens)
    tokenizer = encoder.tokenizer()
    additions = read_additions(config.out) if config.resume else None
    if additions is None:
        additions = widen(config, splits, encoder, tokenizer)
    added = [example for addition in additions for example in addition.examples]
    widened = Spooled(chain(splits.train, added)) if added else splits.train
    parts = {**splits.parts, "train": widened}
    encoded = {
        name: encode(
            part,
            tokenizer,
            splits.task,
            labels,
            config.max_tokens,
            token_types=tells_pairs_apart(encoder.config),
        )
        for name, part in parts.items()
    }
    rows = rows_of(encoded["train"].items, encoded["train"].counts, splits.task)
    steps = config.epochs * steps_per_epoch(len(rows), config)
    warnings = tuple(leaks(encoder, splits)) if isinstance(encoder, Continued) else ()
    set_seed(config.seed)  # whatever was asked of other models before
    model = trainable(encoder, splits.task, labels, config, steps)
    objective = make_objective(
        config,
        HEADS[splits.task.head],
        (item["labels"] for item in encoded["train"].items),
        len(labels),
    )
    return Prepared(encoder, tokenizer, labels, additions, encoded, model, objective, steps, warnings)


@dataclass(frozen=True)
class Trained:
    """What training left beside the weights."""

    history: list[dict[str, Any]]
    """As ``fit`` returns it."""
    cost: TrainingCost


def fine_tune(config: TrainConfig, splits: Splits) -> Report | None:
    """Train, score what was saved, write the run directory and return its report.

    Of several processes that train together, only the main one writes; the others return None. Raises
    ``InputError`` when the model or ``--out`` can't be used, before anything is written,
    ``InterruptError`` when the user stopped it, and ``StropError`` when memory doesn't suffice.
    """
    started = time.monotonic()
    ready = prepare(config, splits)
    draft = Draft.begin(config, ready.encoder.name, splits.sha256) if is_main() else None
    if draft is not None:
        keep_beginnings(draft, config, splits, ready)
        for addition in ready.additions:
            _console().print(str(addition))
        for warning in ready.warnings:
            _console().print(f"warning: {warning}")
    trained = train_prepared(ready, splits, config)
    if draft is None:
        return None
    save_weights(ready.model, draft.root)
    return finish(draft, config, splits, ready, trained, started)


def keep_beginnings(draft: Draft, config: TrainConfig, splits: Splits, ready: Prepared) -> None:
    """Keep in the run what it learnt from beside the data, and the model that it started from."""
    write_additions(draft.root, ready.additions)
    if isinstance(ready.encoder, Continued) and config.method != "full":  # whose model is whole
        ready.encoder.save(splits.task, ready.labels)


def train_prepared(
    ready: Prepared, splits: Splits, config: TrainConfig, callbacks: Sequence[TrainerCallback] = ()
) -> Trained:
    """Train the model in place, as ``fit`` does with ``config.out``.

    Raises ``InterruptError`` when the user stopped it, and ``StropError`` when memory doesn't suffice.
    """
    speedometer = Speedometer(ready.model)
    started = time.monotonic()
    with named_remedies(config):
        history = fit(
            ready.model,
            ready.encoded["train"],
            ready.encoded["validation"],
            task=splits.task,
            labels=ready.labels,
            pad_token_id=ready.encoder.pad_token_id,
            objective=ready.objective,
            config=config,
            out=config.out,
            callbacks=(speedometer, *callbacks),
        )
    seconds = time.monotonic() - started
    speed = speedometer.speed(arithmetic(config.precision), config.thread_count)
    return Trained(history, TrainingCost.of(ready.model, seconds, speed))


def finish(
    draft: Draft,
    config: TrainConfig,
    splits: Splits,
    ready: Prepared,
    trained: Trained,
    started: float,
    further: Mapping[str, Any] | None = None,
) -> Report:
    """Score the weights that lie in the run directory, and write the rest of it.

    ``started`` is when, by the monotonic clock; ``further`` facts join the record.
    """
    _console().print("scoring the validation and test splits, and baselines")
    ready.tokenizer.save_pretrained(draft.root / TOKENIZER_FOLDER)
    keep_beginnings(draft, config, splits, ready)
    finished = load_to_score(draft.root, ready.encoder.name, splits.task, ready.labels, config.method)
    judged = FinishedModel(finished, ready.tokenizer, splits.task, ready.labels, config.max_tokens)
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


def _beginning(config: TrainConfig, task: Task) -> Encoder:
    """The encoder that is named, or the run."""
    if config.from_:
        return Continued.of(Run.open(config.from_), config.columns, config.out, config.seed)
    assert config.model is not None  # noqa: S101 - one of them is given
    return Encoder.open(config.model, task)


def _report(
    config: TrainConfig, splits: Splits, ready: Prepared, model: FinishedModel, cost: TrainingCost
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
    )


def _baselines(splits: Splits, ready: Prepared, model: FinishedModel) -> dict[str, Mapping[str, float]]:
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


def _console() -> Console:
    return Console(stderr=True, soft_wrap=True, highlight=False, markup=False)
