"""Words of like meaning, as the encoder that is trained knows them: neighbours among its embeddings.

So any language that it reads has synonyms, and nothing need be installed. They are the words that it
takes for nearly the same itself: mostly synonyms, sometimes a word of the same kind (days, nations), and
now and then the opposite. An encoder of many languages may answer in another one.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

import torch
from torch import Tensor
from transformers import PreTrainedTokenizerFast

SHORTEST = 3
"""Letters; shorter tokens are mostly pieces of words."""
FREQUENT = 0.01
"""Share of the vocabulary's words, from its beginning, that are left as they are: the most frequent come
first, and most of those are articles, pronouns and the like."""
CANDIDATES = 20
"""Neighbours that are looked at; most are forms of the same word."""
NEIGHBOURS = 5
LIKENESS = 0.6
"""Smallest cosine. Opposites can be near: in all-MiniLM-L6 and all-mpnet-base good and bad are at 0.54 and
0.55, cheap and expensive at 0.57 and 0.44, cheap and inexpensive at 0.69 and 0.62."""
STEM = 0.6
"""Share of the shorter word that two forms of one word have in common, from the beginning or the end."""
ROWS = 256
"""Words that are looked up together."""


def find_synonyms(
    words: Iterable[str], embeddings: Tensor, tokenizer: PreTrainedTokenizerFast
) -> Mapping[str, Sequence[str]]:
    """Synonyms of those of ``words`` that have any, nearest first, at most ``NEIGHBOURS``.

    Neighbours by the cosine of centred ``embeddings`` [vocabulary, width], among the tokens that are a
    whole word. What a word gets doesn't depend on the others.
    """
    names = _whole_words(tokenizer)
    if not names:
        return {}
    ids = torch.tensor(list(names))
    vectors = embeddings[ids].float()
    vectors = torch.nn.functional.normalize(vectors - vectors.mean(dim=0))
    row_of = {number: row for row, number in enumerate(names)}
    asked = sorted(set(words))
    tokens = (
        tokenizer([f" {word}" for word in asked], add_special_tokens=False)["input_ids"] if asked else []
    )
    rows = {
        word: row_of[ids[0]]
        for word, ids in zip(asked, tokens, strict=True)
        if len(ids) == 1 and row_of.get(ids[0], 0) >= FREQUENT * len(names)
    }
    spelt = list(names.values())
    near = _neighbours(vectors, sorted(set(rows.values())))
    found = {
        word: [
            spelt[place] for place in near[row] if not _are_forms(word.casefold(), spelt[place].casefold())
        ]
        for word, row in rows.items()
    }
    return {word: others[:NEIGHBOURS] for word, others in found.items() if others}


def _are_forms(one: str, other: str) -> bool:
    """Whether two words begin or end so alike that they look like forms of one word.

    Put for each other those would break the grammar, or say the opposite (fortunately, unfortunately).
    """
    alike = max(_begin_alike(one, other), _begin_alike(one[::-1], other[::-1]))
    return alike >= STEM * min(len(one), len(other))


def _begin_alike(one: str, other: str) -> int:
    """How many letters two words have in common before they part."""
    return sum(
        1 for _ in takewhile(lambda letters: letters[0] == letters[1], zip(one, other, strict=False))
    )


def _whole_words(tokenizer: PreTrainedTokenizerFast) -> dict[int, str]:
    """Token ids that a word alone becomes, in the vocabulary's order, each with the word."""
    spelt = {number: str(tokenizer.decode([number])).strip() for number in range(len(tokenizer))}
    words = {number: word for number, word in spelt.items() if len(word) >= SHORTEST and word.isalpha()}
    if not words:
        return {}
    again = tokenizer([f" {word}" for word in words.values()], add_special_tokens=False)["input_ids"]
    return {
        number: word for (number, word), ids in zip(words.items(), again, strict=True) if ids == [number]
    }


def _neighbours(vectors: Tensor, rows: Sequence[int]) -> dict[int, list[int]]:
    """For each of ``rows`` the rows that are like it, nearest first, itself among them."""
    found = {}
    for start in range(0, len(rows), ROWS):
        part = list(rows[start : start + ROWS])
        # Always as many at a time, for how many there are can move the last bits of a product.
        padded = part + part[:1] * (ROWS - len(part))
        likeness, places = (vectors[padded] @ vectors.T).topk(min(CANDIDATES, len(vectors)), dim=1)
        for row, near, there in zip(part, likeness.tolist(), places.tolist(), strict=False):
            found[row] = [place for value, place in zip(near, there, strict=True) if value >= LIKENESS]
    return found
