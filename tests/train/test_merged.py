"""``strop merge``: what it writes is loaded by transformers alone, and answers as the run does."""

from pathlib import Path

import pytest
import torch
from transformers import AutoModelForSequenceClassification, AutoTokenizer

from strop.errors import InputError
from strop.train.encoder import Encoder
from strop.train.merged import MergeConfig, merge
from strop.train.run import Run


def test_the_folder_answers_as_the_run_does(
    tiny_run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "merged"
    merge(MergeConfig(tiny_run, out=out))
    assert (
        f"loads: transformers.BertForSequenceClassification.from_pretrained('{out}')"
        in capsys.readouterr().out
    )
    model = AutoModelForSequenceClassification.from_pretrained(out)
    assert model.config.id2label == {0: "bad", 1: "good", 2: "plain"}
    assert model.dtype == torch.float32
    inputs = AutoTokenizer.from_pretrained(out)("a superb film and a tedious actor", return_tensors="pt")
    wanted = Run.open(tiny_run).merged_model()(**inputs).logits
    torch.testing.assert_close(model(**inputs).logits, wanted)
    # The next run may start from it.
    assert Encoder.open(str(out)).tokenizer().vocab_size == len(
        AutoTokenizer.from_pretrained(tiny_run / "tokenizer")
    )


def test_a_folder_is_written_whole_or_not_at_all(tiny_run: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is not a run"):
        merge(MergeConfig(tmp_path / "nowhere", out=tmp_path / "merged"))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(InputError, match=r"--out .* exists; name another folder"):
        merge(MergeConfig(tiny_run, out=tmp_path))
