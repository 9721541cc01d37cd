"""Scores, baselines and the report that is made of them."""

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from strop.tasks import TASKS, Example
from strop.train.baseline import score_baselines
from strop.train.cost import TrainingCost
from strop.train.plots import draw_confusion_matrix, draw_loss_curve
from strop.train.report import Beside, Report
from strop.train.scores import Scores

TASK = TASKS["text-classification"]
MAJORITY, TFIDF = "majority class", "TF-IDF + logistic regression"


def scores_of(truth: Sequence[int], found: Sequence[int], labels: Sequence[str]) -> Scores:
    examples = [Example("text", labels[number]) for number in truth]
    outputs = np.eye(len(labels), dtype=np.float32)[list(found)]
    return Scores.of(TASK, outputs, [()] * len(examples), examples, labels)


def test_scores_are_by_class_with_the_truth_in_the_rows() -> None:
    scores = scores_of([0, 0, 0, 1], [0, 0, 1, 1], ("no", "yes"))
    assert scores.metrics["accuracy"] == 0.75
    assert scores.confusion == ((2, 1), (0, 1))
    no, yes = scores.labels
    assert (no.precision, no.recall, no.support) == (1.0, pytest.approx(2 / 3), 3)
    assert (yes.precision, yes.recall, yes.support) == (0.5, 1.0, 1)
    assert scores.metrics["macro_f1"] == pytest.approx((no.f1 + yes.f1) / 2)


def test_a_class_that_is_never_predicted_scores_nothing() -> None:
    scores = scores_of([0, 1], [0, 0], ("no", "yes"))
    assert scores.labels[1].precision == 0
    assert scores.metrics["macro_f1"] == pytest.approx(1 / 3)


def test_a_class_that_is_absent_does_not_lower_the_mean() -> None:
    assert scores_of([0, 1], [0, 1], ("no", "yes", "maybe")).metrics["macro_f1"] == 1


def test_the_baselines_are_what_their_names_say() -> None:
    train = [
        Example("sunny day", "good"),
        Example("sunny hour", "good"),
        Example("rainy day", "bad"),
        Example("rainy night", "bad"),
        Example("sunny night", "good"),
    ]
    held_out = [Example("so rainy", "bad"), Example("sunny !", "good")]
    found = score_baselines(TASK, train, held_out, ("bad", "good"))
    assert found[MAJORITY]["accuracy"] == 0.5
    assert found[TFIDF]["accuracy"] == 1


def test_a_text_of_signs_alone_does_not_stop_the_baseline() -> None:
    train = [Example("🙂", "good"), Example("🙁", "bad")]
    assert score_baselines(TASK, train, train, ("bad", "good"))[TFIDF]["accuracy"] == 1


def test_class_names_stand_in_the_report_as_they_are() -> None:
    scores = scores_of([0, 1], [0, 1], ("[red]", "a|b"))
    cost = TrainingCost(
        trained_parameters=2_000, total_parameters=50_000, seconds=3.25, peak_memory_bytes=10**9, speed=None
    )
    report = Report("lora", scores, scores, {MAJORITY: {"accuracy": 0.25, "macro_f1": 0.5}}, cost)
    assert report.behind == []
    text = report.markdown({"out": "runs/x", "model": "m", "from_": None, "data": "d"})
    assert "| [red] | 1.000" in text
    assert r"| a\|b | 1.000" in text
    assert "bf16" not in text
    rounded = replace(report, learnt_in="bf16").markdown(
        {"out": "x", "model": "m", "from_": None, "data": "d"}
    )
    assert "as it learnt, and chose the checkpoint, were in bf16 and may differ" in rounded
    assert "2,000 of 50,000 parameters (4.00%) trained in 3.2 s; peak memory 1,000 MB." in text
    assert "| test split | accuracy | macro-F1 | ahead in accuracy |" in text
    assert "| majority class | 0.2500 | 0.5000 | +0.7500 |" in text


def test_a_run_that_beats_no_baseline_is_behind_it() -> None:
    scores = scores_of([0, 1], [1, 0], ("a", "b"))
    cost = TrainingCost(
        trained_parameters=1, total_parameters=1, seconds=1, peak_memory_bytes=1, speed=None
    )
    baselines = {MAJORITY: {"accuracy": 0.5, "macro_f1": 0.3}, TFIDF: {"accuracy": 0.0, "macro_f1": 0.0}}
    assert Report("lora", scores, scores, baselines, cost).behind == [MAJORITY, TFIDF]


def test_four_metrics_of_each_row_fit_a_terminal_of_80_columns() -> None:
    metrics = dict.fromkeys(TASKS["sentence-embedding"].metrics, 0.5)
    scores = Scores(metrics, (), ())
    cost = TrainingCost(
        trained_parameters=1, total_parameters=1, seconds=1, peak_memory_bytes=1, speed=None
    )
    beside = {"old": Beside("test split of reviews", metrics, "reviews itself", metrics)}
    console = Console(width=80, file=io.StringIO(), record=True)
    for table in Report("p-tuning", scores, scores, {TFIDF: metrics}, cost, (), beside).tables():
        console.print(table)
    shown = [line.strip() for line in console.export_text().splitlines()]
    assert [line.split()[-1] for line in shown if "0.5000" in line][1:] == ["+0.0000"] * 2
    assert any(line.startswith(TFIDF) for line in shown)


def test_many_classes_and_a_run_without_a_logged_step_can_be_drawn(tmp_path: Path) -> None:
    labels = [f"class {number}" for number in range(40)]
    scores = scores_of(range(40), range(40), labels)
    draw_confusion_matrix(tmp_path / "c.png", scores, labels)
    evaluation = {"step": 3, "validation_loss": 1, "validation_accuracy": 0, "validation_macro_f1": 0}
    draw_loss_curve(tmp_path / "l.png", [evaluation], TASK.metrics)
    assert (tmp_path / "c.png").read_bytes()[:4] == (tmp_path / "l.png").read_bytes()[:4] == b"\x89PNG"
