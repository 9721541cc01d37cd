"""Tokens hidden in texts, to be told from the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerFast

from strop.errors import InputError
from strop.tasks import IGNORED

from .batches import Item

SHARE = 0.15
"""Of a text's tokens, but always one."""
MASKED = 0.8
"""Share of them that the mask takes the place of in training."""
REPLACED = 0.1
"""Share that another token takes the place of. The rest stays: where no mask is, a token may be right or
wrong, so that a model has to look at each."""


@dataclass(frozen=True)
class Masking:
    """What is hidden, and by what: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers
    for Language Understanding", 2019, section 3.1; other tokens each epoch, as Liu et al., "RoBERTa", 2019.
    """

    mask: int
    """The id of the mask token."""
    special: frozenset[int]
    """Ids of tokens that are no part of a text, and of the unknown one: they are never hidden."""
    others: NDArray[np.int64]
    """Ids of all the rest."""

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerFast) -> Self:
        """By a tokenizer's own tokens; ``InputError`` where it has no mask among them."""
        if tokenizer.mask_token_id is None:
            raise InputError(
                f"the tokenizer of {tokenizer.name_or_path} has no mask token, so nothing can be hidden;"
                " give a model that was trained with masks, or its tokenizer the mask_token it knows"
            )
        special = frozenset(tokenizer.all_special_ids)
        others = np.setdiff1d(np.arange(len(tokenizer)), sorted(special))
        return cls(int(tokenizer.mask_token_id), special, others)

    def held_out(self, ids: Sequence[int]) -> Item:
        """A text with tokens hidden that follow from itself alone, each behind the mask."""
        places = self._places(ids, np.random.default_rng(ids))
        return _item(ids, places, [self.mask] * len(places))

    def renew(self, item: Item, random: np.random.Generator) -> Item:
        """The same text with other tokens hidden, as they are in training."""
        pairs = zip(item["input_ids"], item["labels"], strict=True)
        ids = [token if label == IGNORED else label for token, label in pairs]
        places = self._places(ids, random)
        chances = random.random(len(places))
        others = random.choice(self.others, len(places))
        shown = [
            self.mask if chance < MASKED else other if chance < MASKED + REPLACED else ids[place]
            for place, chance, other in zip(places, chances, others.tolist(), strict=True)
        ]
        return _item(ids, places, shown)

    def _places(self, ids: Sequence[int], random: np.random.Generator) -> list[int]:
        """Those to be hidden."""
        open_to = [place for place, token in enumerate(ids) if token not in self.special]
        if not open_to:
            return []
        count = max(1, round(SHARE * len(open_to)))
        return [int(place) for place in random.choice(open_to, count, replace=False)]


def _item(ids: Sequence[int], places: Sequence[int], shown: Sequence[int]) -> Item:
    """The text with what is ``shown`` at some places, whose own tokens are the labels."""
    inputs, labels = list(ids), [IGNORED] * len(ids)
    for place, token in zip(places, shown, strict=True):
        inputs[place], labels[place] = token, ids[place]
    return Item(input_ids=inputs, labels=labels)
