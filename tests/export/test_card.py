"""The model card of a real bundle, and what it is made from."""

import json

import numpy as np
import pytest
import yaml

from strop.export.bundle import Bundle, Encoded
from strop.export.card import Card
from strop.export.config import ExportConfig
from strop.export.evaluate import HeldOut, calibration_error
from strop.export.licence import stated_licence
from strop.export.report import Candidate
from strop.train.data.splits import load_splits
from strop.train.run import Run

COLUMNS = {
    "task": "text-classification",
    "text_column": "text",
    "label_column": "label",
    "pair_column": None,
}


@pytest.fixture(scope="module")
def card(exported_bundle):
    return (exported_bundle / "README.md").read_text(encoding="utf-8")


def table(card, title):
    """The cells of a section's table, without its rule."""
    section = card.split(f"## {title}\n")[1].split("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("|")]
    return [rows[0], *rows[2:]]


def test_the_front_matter_is_yaml(card):
    facts = yaml.safe_load(card.split("---\n")[1])
    assert facts["pipeline_tag"] == "text-classification"


def test_the_scores_of_each_class_are_those_of_the_run(card, tiny_run):
    header, *rows = table(card, "By label")
    assert header == ["label", "precision", "recall", "F1", "support", "F1 of int8"]
    classes = json.loads((tiny_run / "metrics.json").read_text())["test"]["labels"]
    assert [(row[0], row[3], row[4]) for row in rows] == [
        (one["label"], f"{one['f1']:.3f}", str(one["support"])) for one in classes
    ]


def test_confusions_and_data_count_every_text(card):
    _, *confusions = table(card, "Confusions")
    assert sum(int(cell) for row in confusions for cell in row[1:]) == 32
    *_, total = table(card, "Data")
    assert total == ["examples", "192", "32", "32"]


def test_every_variant_has_its_calibration_error(card):
    header, *rows = table(card, "Variants")
    assert [row[0] for row in rows] == ["fp32", "int8"]
    assert all(0 <= float(row[header.index("calibration")]) <= 1 for row in rows)


def test_of_many_classes_only_the_most_frequent_confusions_are_told(exported_bundle, tmp_path):
    labels = (*(f"class {number:02}" for number in range(20)), "one|other")
    for name in ("train", "validation", "test"):
        rows = [json.dumps({"text": f"{name} of {label}", "label": label}) for label in labels]
        (tmp_path / f"{name}.jsonl").write_text("\n".join(rows))
    run = Run(
        root=tmp_path,
        config={**COLUMNS, "method": "full"},
        labels=labels,
        data=tmp_path,
        data_sha256=load_splits(tmp_path).sha256,
        base_model="maker/encoder",
        max_tokens=4,
        metrics={"test": {"accuracy": 0.5}, "baselines": {"majority class": {"accuracy": 0.5}}},
    )
    truth, test = np.arange(21), run.splits().test
    encoded = tuple(Encoded(np.ones(4, dtype=np.int64), truncated=number < 2) for number in truth)
    page = Card(
        config=ExportConfig(tmp_path, name="many"),
        run=run,
        held_out=HeldOut(run.task, labels, test, (1,) * 21, tuple(test), encoded),
        candidates=[Candidate(Bundle.open(exported_bundle).variant("fp32"), "shipped")],
        outputs={"fp32": np.eye(21, dtype=np.float32)[np.minimum(truth, 19)]},
    ).markdown()
    assert yaml.safe_load(page.split("---\n")[1])["base_model"] == "maker/encoder"
    assert table(page, "Confusions") == [
        ["class", "label given", "texts"],
        [r"one\|other", "class 19", "1"],
    ]
    assert "as 2 of the 21 test texts did" in page
    assert f"- Warning: {tmp_path.name} was not ahead of majority class when it was trained" in page


@pytest.mark.parametrize(("share", "error"), [(0.75, 0), (0.5, 0.25), (1, 0.25)])
def test_the_calibration_error_is_what_confidence_lacks_of_the_truth(share, error):
    probabilities = np.full((8, 2), [0.75, 0.25], dtype=np.float32)
    assert calibration_error(probabilities, np.arange(8) < 8 * share) == pytest.approx(error)


def test_errors_of_two_bins_do_not_cancel():
    probabilities = np.float32([[0.9, 0.1], [0.6, 0.4]])
    assert calibration_error(probabilities, np.array([False, True])) == pytest.approx((0.9 + 0.4) / 2)


@pytest.mark.parametrize(
    ("name", "text", "licence"),
    [
        ("README.md", "---\ntags: [x]\nlicense: apache-2.0\n---\n# Model\nlicense: mit\n", "apache-2.0"),
        ("README.md", "# Model\nlicense: mit\n", None),
        ("config.json", '{"license": "mit"}', "mit"),
        ("config.json", '{"hidden_size": 8}', None),
        ("LICENSE.txt", "\n   Apache License\n  Version 2.0\n", "Apache License"),
    ],
)
def test_a_licence_is_read_where_a_model_folder_states_it(tmp_path, name, text, licence):
    (tmp_path / name).write_text(text)
    assert stated_licence(tmp_path) == licence
