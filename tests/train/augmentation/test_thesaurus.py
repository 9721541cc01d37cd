"""Synonyms out of an encoder's embeddings."""

from pathlib import Path

import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerFast

from strop.train.augmentation.thesaurus import find_synonyms


def _embeddings(tokenizer: PreTrainedTokenizerFast, near: dict[str, str]) -> Tensor:
    """Every token apart from the others, but for those that are ``near`` another."""
    vectors = torch.eye(len(tokenizer))
    for one, other in near.items():
        place, beside = tokenizer.convert_tokens_to_ids([one, other])
        vectors[place] = vectors[beside] + 0.3 * vectors[place]
    return vectors


def test_synonyms_are_near_whole_words_and_no_forms_of_the_word(tiny_encoder: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    tokenizer.add_tokens(["lovelier", "unlovely"])
    near = {"superb": "lovely", "charming": "lovely", "a": "awful", "##z": "awful"}
    near |= {"lovelier": "lovely", "unlovely": "lovely"}
    words = ("Lovely", "awful", "boring", "unheard", "")
    found = find_synonyms(words, _embeddings(tokenizer, near), tokenizer)
    assert {*found} == {"Lovely"}
    assert {*found["Lovely"]} == {"superb", "charming"}
    assert find_synonyms(["Lovely"], _embeddings(tokenizer, near), tokenizer) == found
    assert find_synonyms([], _embeddings(tokenizer, near), tokenizer) == {}


def test_the_most_frequent_words_have_none(tiny_encoder: Path) -> None:
    # The first word of the tiny vocabulary, of 26, is in its first hundredth.
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    embeddings = _embeddings(tokenizer, {"film": "the"})
    assert find_synonyms(["the", "film"], embeddings, tokenizer).keys() == {"the", "film"} - {"the"}
