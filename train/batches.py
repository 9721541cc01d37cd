"""Inputs as the model sees them: token ids, grouped by length, padded to their own batch."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, NotRequired, Self, TypedDict

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import Dataset, Sampler

from strop.tasks import IGNORED, Example, Outputs, Span, Task
from strop.tasks.windows import windows

from .on_demand import Grouped, Picked, Spooled
from .preprocessing import Preprocessing
from .scores import Scores


class Item(TypedDict):
    """One input: token ids with the special tokens, and its task's target."""

    input_ids: list[int]
    labels: Any
    """A class id, a number, or a list: of a number for each label, or of a class id for each token."""
    token_type_ids: NotRequired[list[int]]
    """Of two texts: 0 for the tokens of the first, 1 for those of the second."""


Renew = Callable[[Item, np.random.Generator], Item]
"""Makes another item of the same input, of the same length."""
Row = tuple[Item, ...]
"""What is learnt in one batch: an input, or all those of an example."""


def rows_of(items: Sequence[Item], counts: Sequence[int], task: Task) -> Grouped[Item]:
    """Items as the task wants them learnt, in their order; ``counts`` are those of each example."""
    return Grouped(items, counts if task.together else np.ones(len(items)))


@dataclass(frozen=True)
class EncodedSplit:
    """The examples of a split, encoded; everything in their order."""

    examples: Sequence[Example]
    counts: Sequence[int]
    """How many inputs each is."""
    items: Sequence[Item]
    """All inputs of all examples."""
    offsets: Sequence[Sequence[Span]]
    """The characters that each token of an item stands for."""
    renew: Renew | None = None
    """What becomes of an item in each epoch that it is learnt in, if not always the same."""

    @classmethod
    def of(cls, examples: Sequence[Example], preprocessing: Preprocessing) -> Self:
        """Encode examples in memory."""
        task, max_tokens = preprocessing.task, preprocessing.max_tokens
        each = [task.inputs(example) for example in examples]
        inputs = [one for some in each for one in some]
        pairs = [one.pair for one in inputs if one.pair is not None]
        encodings = preprocessing.tokenizer(
            [one.text for one in inputs],
            pairs or None,
            truncation=not task.windowed,
            max_length=None if task.windowed else max_tokens,
            padding=False,
            verbose=False,
        ).encodings
        items: list[Item] = []
        offsets: list[Sequence[Span]] = []
        counts = []
        for one, encoding in zip(inputs, encodings, strict=True):
            found = windows(encoding, max_tokens) if task.windowed else [encoding]
            counts.append(len(found))
            for tokens in found:
                spans = tokens.offsets
                item = Item(input_ids=tokens.ids, labels=preprocessing.target(one, spans))
                if pairs and preprocessing.token_types:
                    item["token_type_ids"] = tokens.type_ids
                items.append(item)
                offsets.append(spans)
        whole = Grouped(counts, [len(some) for some in each])
        return cls(examples, [sum(some) for some in whole], items, offsets)

    @classmethod
    def joined(cls, examples: Sequence[Example], parts: Iterable[Self]) -> Self:
        """One split of what the ``examples`` came to part by part, kept on disk."""
        counts: list[int] = []
        items, offsets = Spooled[Item](), Spooled[Sequence[Span]]()
        renew = None
        for part in parts:
            counts.extend(part.counts)
            items.extend(part.items)
            offsets.extend(part.offsets)
            renew = part.renew
        return cls(examples, counts, items, offsets, renew)

    def score(self, task: Task, outputs: Outputs, labels: Sequence[str]) -> Scores:
        """How good the outputs of all items are."""
        found = task.of_examples(outputs, self.counts)
        offsets = task.of_examples(self.offsets, self.counts)
        return Scores.of(task, found, offsets, self.examples, labels)

    def longest_first(self) -> Self:
        """The same, sorted: neighbours need little padding."""
        inputs = Grouped(self.items, self.counts)
        order = longest_first(inputs)
        places = np.concatenate([np.arange(*inputs.starts[place : place + 2]) for place in order])
        return replace(
            self,
            examples=Picked(self.examples, order),
            counts=[self.counts[place] for place in order],
            items=Picked(self.items, places),
            offsets=Picked(self.offsets, places),
        )


class Collator:
    """Pads a batch to its longest text."""

    def __init__(self, pad_token_id: int) -> None:
        self.pad_token_id = pad_token_id

    def __call__(self, batch_rows: Sequence[Row]) -> dict[str, Tensor]:
        """``input_ids`` and ``attention_mask`` [n, longest], int64, ``token_type_ids`` likewise where
        the items have them, and ``labels``: [n], [n, labels], or [n, longest] of a label for each token.

        n is the number of items in all rows together, in their order.
        """
        items = [item for row in batch_rows for item in row]
        rows = [torch.tensor(item["input_ids"]) for item in items]
        batch = {
            "input_ids": pad_sequence(rows, batch_first=True, padding_value=self.pad_token_id),
            "attention_mask": pad_sequence([torch.ones_like(row) for row in rows], batch_first=True),
            "labels": pad_sequence(
                [torch.tensor(item["labels"]) for item in items], batch_first=True, padding_value=IGNORED
            )
            if isinstance(items[0]["labels"], list)
            else torch.tensor([item["labels"] for item in items]),
        }
        if "token_type_ids" in items[0]:
            types = [torch.tensor(item["token_type_ids"]) for item in items]
            batch["token_type_ids"] = pad_sequence(types, batch_first=True)
        return batch


class RenewedRows(Dataset[Row]):
    """Rows that are others in each epoch.

    They follow from seed, epoch and place alone, so a resumed run meets those that it had not seen.
    """

    def __init__(self, rows: Sequence[Row], renew: Renew, seed: int) -> None:
        self._rows = rows
        self._renew = renew
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Choose the rows."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, place: int) -> Row:
        random = np.random.default_rng((self._seed, self._epoch, place))
        return tuple(self._renew(item, random) for item in self._rows[place])


def lengths_of(rows: Sequence[Row]) -> NDArray[np.int64]:
    """Tokens of the longest item of each row."""
    longest = (max(len(item["input_ids"]) for item in row) for row in rows)
    return np.fromiter(longest, np.int64, len(rows))


def longest_first(rows: Sequence[Row]) -> list[int]:
    """Places of the rows by falling length: neighbours need little padding."""
    order: list[int] = np.argsort(-lengths_of(rows), kind="stable").tolist()
    return order


class LengthGroupedSampler(Sampler[int]):
    """A fresh order each epoch in which the texts of a batch are about equally long.

    Texts are shuffled, sorted by length within pools of 50 batches, and the batches shuffled. The
    order follows from seed and epoch alone, so a resumed run meets the batches it had not seen.
    """

    POOL = 50

    def __init__(self, lengths: ArrayLike, batch_size: int, seed: int) -> None:
        """``lengths`` [texts] in tokens."""
        self._lengths = np.asarray(lengths)
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
        return map(int, np.concatenate((batches.ravel(), order[whole:])))
