"""strop data sentiment and encoder: the demonstration's sentences and model."""

import json
from pathlib import Path

import pytest

from strop.errors import InputError
from strop.train.data.sentiment import SentimentConfig, encoder, sentiment
from strop.train.data.shares import SPLITS, Shares
from strop.train.data.sources import ENCODER, SENTENCE_KINDS, SENTENCES

RATINGS = {"superb": "2.1", "so-so": "0.5", "poor": "-0.51"}


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache that already holds everything, so that nothing is downloaded."""
    folder = SENTENCES.folder(tmp_path / "cache")
    folder.mkdir(parents=True)
    for kind in SENTENCE_KINDS:
        lines = [
            f"{number}\t{rating}\tA {word} thing\x85 number {number} of {kind} \r\n"
            for number in range(20)
            for word, rating in RATINGS.items()
        ]
        (folder / f"{kind}.tsv").write_bytes("".join([*lines, "9\t-3\tTwice\r\n"]).encode())
    ENCODER.folder(tmp_path / "cache").mkdir()
    return tmp_path / "cache"


def _rows(folder: Path) -> list[dict[str, str]]:
    return [
        json.loads(line)
        for name in SPLITS
        for line in (folder / f"{name}.jsonl").read_text(encoding="utf-8").split("\n")
        if line
    ]


def test_ratings_become_classes_and_double_sentences_are_dropped(
    tmp_path: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sentiment(SentimentConfig(out=tmp_path / "s", cache=cache))
    rows = _rows(tmp_path / "s")
    assert len(rows) == 4 * 20 * 3 + 1
    assert {"text": "Twice", "label": "negative", "source": "movies"} in rows
    for word, label in (("superb", "positive"), ("so-so", "neutral"), ("poor", "negative")):
        assert {row["label"] for row in rows if word in row["text"]} == {label}
    output = capsys.readouterr()
    assert output.out == ""
    assert "dropped 3 sentences that came twice" in output.err
    assert "downloading" not in output.err


def test_the_thresholds_decide_what_is_neutral(tmp_path: Path, cache: Path) -> None:
    config = SentimentConfig(out=tmp_path / "s", cache=cache, positive_above=0.4, negative_below=-1)
    sentiment(config)
    labels = {row["text"].split()[1]: row["label"] for row in _rows(tmp_path / "s") if "A " in row["text"]}
    assert labels == {"superb": "positive", "so-so": "positive", "poor": "neutral"}


def test_thresholds_that_leave_no_neutral_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--negative-below 1 and --positive-above 0.5 must lie"):
        SentimentConfig(out=tmp_path, negative_below=1)


def test_preparing_again_changes_nothing_and_never_overwrites(tmp_path: Path, cache: Path) -> None:
    config = SentimentConfig(out=tmp_path / "s", cache=cache)
    sentiment(config)
    before = _rows(tmp_path / "s")
    sentiment(config)
    with pytest.raises(InputError, match=r"train.jsonl exists and differs"):
        sentiment(config, shares=Shares("2:1:1"))
    assert _rows(tmp_path / "s") == before
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == sorted(
        f"{name}.jsonl" for name in SPLITS
    )


def test_the_encoders_folder_is_all_that_is_printed(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder(cache=cache)
    assert capsys.readouterr().out == f"{ENCODER.folder(cache)}\n"
