"""Examples as the model sees them: token ids, grouped by length, padded to their own batch."""

from collections.abc import Iterator, Sequence
from typing import TypedDict

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Sampler
from transformers import PreTrainedTokenizerFast

from .examples import Example


class Item(TypedDict):
    """One example: token ids with the special tokens, and the class id."""

    input_ids: list[int]
    labels: int


def encode(
    examples: Sequence[Example],
    tokenizer: PreTrainedTokenizerFast,
    labels: Sequence[str],
    max_tokens: int,
) -> list[Item]:
    """Encode examples in their order, truncating at ``max_tokens``."""
    number = {label: index for index, label in enumerate(labels)}
    texts = [example.text for example in examples]
    rows = tokenizer(texts, truncation=True, max_length=max_tokens, padding=False)["input_ids"]
    return [
        Item(input_ids=ids, labels=number[example.label])
        for ids, example in zip(rows, examples, strict=True)
    ]


class Collator:
    """Pads a batch to its longest text."""

    def __init__(self, pad_token_id: int) -> None:
        self.pad_token_id = pad_token_id

    def __call__(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """``input_ids`` and ``attention_mask`` [n, longest] and ``labels`` [n], all int64."""
        rows = [torch.tensor(item["input_ids"]) for item in items]
        return {
            "input_ids": pad_sequence(rows, batch_first=True, padding_value=self.pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
            "labels": torch.tensor([item["labels"] for item in items]),
        }


def longest_first(items: Sequence[Item]) -> list[int]:
    """Places of the items by falling length: neighbours need little padding."""
    return sorted(range(len(items)), key=lambda place: -len(items[place]["input_ids"]))


class LengthGroupedSampler(Sampler[int]):
    """A fresh order each epoch in which the texts of a batch are about equally long.

    Texts are shuffled, sorted by length within pools of 50 batches, and the batches shuffled. The
    order follows from seed and epoch alone, so a resumed run meets the batches it had not seen.
    """

    POOL = 50

    def __init__(self, lengths: Sequence[int], batch_size: int, seed: int) -> None:
        self._lengths = np.array(lengths)
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the order; the trainer calls this."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        random = np.random.default_rng((self._seed, self._epoch))
        order = random.permutation(len(self))
        pool = self.POOL * self._batch_size
        for start in range(0, len(order), pool):
            part = order[start : start + pool]
            order[start : start + pool] = part[np.argsort(self._lengths[part], kind="stable")]
        whole = len(order) - len(order) % self._batch_size
        batches = order[:whole].reshape(-1, self._batch_size)
        random.shuffle(batches)
        # The incomplete batch comes last, or every later one would straddle two groups.
        return iter(np.concatenate((batches.ravel(), order[whole:])).tolist())
