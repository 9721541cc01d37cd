"""Texts with one token hidden: what an exported masked language model is asked, and judged by.

W. L. Taylor, "Cloze Procedure: A New Tool for Measuring Readability", 1953.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from transformers import PreTrainedTokenizerFast

from strop.tasks import Span

from .masking import Masking

TRIES = 8
"""Of a text, so many tokens are tried before it is left out."""


@dataclass(frozen=True)
class Cloze:
    """A text with the mask written where a token stood."""

    text: str
    token: int
    """The id of what is hidden."""
    word: str
    """What a reply calls it."""


def hide(texts: Sequence[str], tokenizer: PreTrainedTokenizerFast, max_tokens: int) -> list[Cloze]:
    """One token hidden in each text, the same whenever the same tokenizer reads it.

    Only a token is hidden that leaves the others as they are when the text is tokenised anew: in
    "walking" as "walk" and "##ing", the mask in place of the first would make the second another. Texts
    in which no such token was found are left out; so are those that have a mask already.
    ``InputError`` for a tokenizer without a mask token.
    """
    masking = Masking.of(tokenizer)
    options = {"truncation": True, "max_length": max_tokens, "padding": False}
    encoded = tokenizer(list(texts), return_offsets_mapping=True, **options)
    rows = list(zip(texts, encoded["input_ids"], encoded["offset_mapping"], strict=True))
    candidates = [_candidates(masking, ids) for _, ids, _ in rows]
    found: dict[int, Cloze] = {}
    for attempt in range(TRIES):
        left = [n for n, places in enumerate(candidates) if n not in found and attempt < len(places)]
        if not left:
            break
        places = [candidates[number][attempt] for number in left]
        asked = [
            _with_mask(rows[n][0], rows[n][2][place], tokenizer)
            for n, place in zip(left, places, strict=True)
        ]
        read = tokenizer(asked, **options)["input_ids"]
        for number, place, text, ids in zip(left, places, asked, read, strict=True):
            wanted = list(rows[number][1])
            token, wanted[place] = wanted[place], masking.mask
            if ids == wanted:
                found[number] = Cloze(text, token, str(tokenizer.decode([token])).strip())
    return [found[number] for number in sorted(found)]


def _with_mask(text: str, where: Span, tokenizer: PreTrainedTokenizerFast) -> str:
    start, stop = where
    return f"{text[:start]}{tokenizer.mask_token}{text[stop:]}"


def _candidates(masking: Masking, ids: Sequence[int]) -> list[int]:
    """Places of tokens that may be hidden, in an order that follows from the text alone."""
    if masking.mask in ids:
        return []
    places = [place for place, token in enumerate(ids) if token not in masking.special]
    return [int(place) for place in np.random.default_rng(ids).permutation(places)]
