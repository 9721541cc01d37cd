"""A finished run: what is in it, and what opening it refuses."""

import json
import shutil
from pathlib import Path

import pytest
import torch

from strop.errors import InputError
from strop.train.data.splits import load_splits
from strop.train.run import Run


def test_a_run_holds_what_the_next_stage_needs(tiny_run: Path, tiny_data: Path) -> None:
    run = Run.open(tiny_run)
    assert run.labels == ("bad", "good", "plain")
    assert run.splits() == load_splits(tiny_data)
    assert run.max_tokens == run.config["max_tokens"] == 32
    assert json.loads(run.tokenizer_file.read_text(encoding="utf-8"))["model"]["type"] == "WordPiece"
    model = run.merged_model()
    assert not model.training
    assert not any(module.training for module in model.modules())
    assert model.config._attn_implementation == "eager"  # noqa: SLF001
    assert not [name for name, _ in model.named_parameters() if "lora" in name]
    assert model(input_ids=torch.tensor([[2, 45, 3]])).logits.shape == (1, 3)


def test_a_run_directory_is_complete_and_holds_nothing_else(tiny_run: Path) -> None:
    assert {path.name for path in tiny_run.iterdir()} == {
        "adapter",
        "confusion_matrix.png",
        "history.jsonl",
        "loss_curve.png",
        "metrics.json",
        "report.md",
        "run.json",
        "tensorboard",
        "tokenizer",
    }


def test_a_run_says_where_it_comes_from(tiny_run: Path, tiny_data: Path, tiny_encoder: Path) -> None:
    record = json.loads((tiny_run / "run.json").read_text())
    assert record["base_model"] == str(tiny_encoder)
    assert record["data"]["examples"] == {"train": 192, "validation": 32, "test": 32}
    assert record["config"]["data"] == str(tiny_data)
    assert record["versions"]["torch"] == torch.__version__
    assert record["wall_seconds"] > record["training"]["seconds"] > 0
    assert 0 < record["training"]["trained_parameters"] < record["training"]["total_parameters"]
    assert record["training"]["peak_memory_bytes"] > 10**8


def test_the_metrics_are_of_the_model_on_disk(tiny_run: Path) -> None:
    run = Run.open(tiny_run)
    splits, model = run.splits(), run.merged_model()
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(run.tokenizer_file.parent)
    right = 0
    for example in splits.test:
        logits = model(**tokenizer(example.text, return_tensors="pt")).logits
        right += run.labels[int(logits.argmax())] == example.label
    assert run.metrics["test"]["accuracy"] == right / len(splits.test)
    assert run.metrics["test"]["accuracy"] > run.metrics["baselines"]["majority class"]["accuracy"]
    assert sum(map(sum, run.metrics["test"]["confusion"])) == len(splits.test)


def test_the_history_has_losses_and_one_evaluation_an_epoch(tiny_run: Path) -> None:
    rows = [json.loads(line) for line in (tiny_run / "history.jsonl").read_text().splitlines()]
    evaluations = [row for row in rows if "validation_loss" in row]
    assert [row["step"] for row in evaluations] == [24 * epoch for epoch in range(1, 7)]
    assert [row["step"] for row in rows if "loss" in row] == list(range(10, 145, 10))
    best = max(row["validation_accuracy"] for row in evaluations)
    assert json.loads((tiny_run / "metrics.json").read_text())["validation"]["accuracy"] == best


@pytest.fixture
def copy(tmp_path: Path, tiny_run: Path) -> Path:
    """A run that may be damaged."""
    return Path(shutil.copytree(tiny_run, tmp_path / "copy"))


def test_changed_data_is_refused(copy: Path, tiny_data: Path) -> None:
    changed = Path(shutil.copytree(tiny_data, copy.parent / "data"))
    record = json.loads((copy / "run.json").read_text())
    record["data"]["path"] = str(changed)
    (copy / "run.json").write_text(json.dumps(record))
    run = Run.open(copy)
    run.splits()
    with (changed / "train.jsonl").open("a") as file:
        file.write('{"text": "one more", "label": "good"}\n')
    with pytest.raises(InputError, match=r"has changed since .* was trained on it"):
        run.splits()


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a run: run.json is missing"):
        Run.open(tmp_path)


def test_an_unfinished_run_is_refused_with_the_way_on(copy: Path) -> None:
    (copy / "run.json").rename(copy / "config.json")
    with pytest.raises(InputError, match=r"is an unfinished run; repeat .* with --resume"):
        Run.open(copy)


@pytest.mark.parametrize("content", ["{", "[]", '{"schema": "strop.run/9"}'])
def test_an_unreadable_record_is_refused(copy: Path, content: str) -> None:
    (copy / "run.json").write_text(content)
    with pytest.raises(InputError, match=r"run.json can't be read: .*; train again"):
        Run.open(copy)


def test_a_lost_base_model_is_refused(copy: Path) -> None:
    record = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps(record | {"base_model": "/gone"}))
    with pytest.raises(InputError, match="model /gone is not a folder"):
        Run.open(copy).merged_model()


def test_a_report_lists_the_options_as_they_are_typed(tiny_run: Path) -> None:
    report = (tiny_run / "report.md").read_text(encoding="utf-8")
    _, options = report.split("| option | value |\n")
    assert "| --learning-rate | 0.005 |" in options
    assert "| --seed | 0 |" in options
    assert not {"--from", "--augment", "--search"} & set(options.split())
