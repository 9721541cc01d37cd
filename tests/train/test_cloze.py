"""One token hidden in each text: which, and that a tokenizer reads the rest as before."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from strop.errors import InputError
from strop.train.cloze import hide

WORDS = ["film", "so", "lovely", "a", "walking", "story", "b2", "✨", "[MASK]", "superb."]
texts = st.lists(st.lists(st.sampled_from(WORDS), max_size=12).map(" ".join), min_size=1, max_size=6)


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder: Path) -> PreTrainedTokenizerFast:
    """The tiny encoder's, with a mask."""
    found = AutoTokenizer.from_pretrained(tiny_encoder)
    found.add_special_tokens({"mask_token": "[MASK]"})
    return found


@given(texts=texts)
def test_a_hidden_token_leaves_the_others_as_they_are(
    tokenizer: PreTrainedTokenizerFast, texts: list[str]
) -> None:
    left = iter(texts)
    for one in hide(texts, tokenizer, 16):
        ids = tokenizer(one.text, truncation=True, max_length=16)["input_ids"]
        place = ids.index(tokenizer.mask_token_id)
        assert ids.count(tokenizer.mask_token_id) == 1
        ids[place] = one.token
        assert one.token not in tokenizer.all_special_ids
        assert any(tokenizer(text, truncation=True, max_length=16)["input_ids"] == ids for text in left)
    assert hide(texts, tokenizer, 16) == hide(texts, tokenizer, 16)


def test_texts_with_nothing_to_hide_are_left_out(tokenizer: PreTrainedTokenizerFast) -> None:
    (one,) = hide(["✨", "", "a [MASK] film", "superb"], tokenizer, 16)
    assert (one.text, one.word) == ("[MASK]", "superb")


def test_another_token_is_hidden_in_another_text(tokenizer: PreTrainedTokenizerFast) -> None:
    found = hide([" ".join(["film"] * n) for n in range(1, 15)], tokenizer, 32)
    places = {one.text.split().index("[MASK]") for one in found}
    assert len(places) > 4


def test_a_tokenizer_without_a_mask_is_refused(tiny_encoder: Path) -> None:
    with pytest.raises(InputError, match="has no mask token"):
        hide(["a film"], AutoTokenizer.from_pretrained(tiny_encoder), 16)


def test_a_run_with_labels_has_no_cloze(tiny_run: Path, tmp_path: Path) -> None:
    out = tmp_path / "hidden.jsonl"
    command = (sys.executable, "-m", "strop", "data", "cloze", str(tiny_run), "--out", str(out))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "text-classification, not to fill masks" in done.stderr
    assert not out.exists()
    out.write_text(json.dumps({}))
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert (done.returncode, out.read_text()) == (2, "{}")
    assert "exists; give another name" in done.stderr
