"""How a variant's graph takes several texts at once: packed end to end, or as a padded rectangle."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from strop.tasks import Floats, Outputs

from .slots import fill_rows
from .typed import build

IntArray = NDArray[np.int64]

BATCH_TOKENS = 384
"""Tokens of a batch wherever variants are measured or checked: what strop serve takes at most by default,
where packed texts ran fastest on x86."""
USUAL_LENGTH = 32
"""Tokens of a text where nothing is known of the texts."""
MOST_ALIGNMENT = 2**10
"""Far more than any processor's vectors are wide; every text takes so many slots."""
LARGEST_ID = 2**31 - 1


@dataclass(frozen=True)
class Layout(ABC):
    """What makes a graph's inputs from sequences of token ids, and says what they cost.

    The graph computes its dense layers on tokens and its attention on slots: r rows of w slots,
    where a token attends to the slots of its own segment in its own row. Every segment starts at a
    multiple of ``alignment`` slots, because one that starts elsewhere meets other SIMD lanes in the
    softmax and its answer then depends on its neighbours.
    """

    kind: ClassVar[str]
    """The layout's name in a manifest."""
    alignment: int
    """Attention slots; every sequence starts at a multiple of it."""
    first_position: int
    """The position id of a sequence's first token: 0 for BERT, 2 for RoBERTa."""
    pad_token_id: int
    """The token that fills a padded row; its hidden states are never read."""
    mask_token_id: int | None = None
    """The token at which a text is read, if that isn't its first one: the hidden word."""

    def __post_init__(self) -> None:
        """Raise ``ValueError`` naming the field that can't be so."""
        if not 1 <= self.alignment <= MOST_ALIGNMENT:
            raise ValueError(
                f"a layout's alignment is {self.alignment} and should be 1 to {MOST_ALIGNMENT}"
            )
        for name in ("first_position", "pad_token_id", "mask_token_id"):
            if not 0 <= (getattr(self, name) or 0) <= LARGEST_ID:
                raise ValueError(
                    f"a layout's {name} is {getattr(self, name)} and should be 0 to {LARGEST_ID}"
                )

    @abstractmethod
    def computed(self, texts: int, longest: int, tokens: int) -> int:
        """Tokens that the dense layers compute for a batch of so many texts, given the tokens of the
        longest and of all together.
        """

    def size(self, tokens: int) -> int:
        """Tokens that are computed for a sequence of ``tokens`` tokens alone."""
        return self.computed(1, tokens, tokens)

    def batches(self, sequences: Sequence[IntArray], tokens: int) -> Iterator[list[IntArray]]:
        """Cut a sequence of texts, in order, into batches of at most ``tokens`` computed tokens.

        A text longer than that is a batch of its own.
        """
        batch: list[IntArray] = []
        longest = held = 0
        for sequence in sequences:
            length = len(sequence)
            longest, held = max(longest, length), held + length
            if batch and self.computed(len(batch) + 1, longest, held) > tokens:
                yield batch
                batch, longest, held = [], length, length
            batch.append(sequence)
        if batch:
            yield batch

    def samples(self, tokens: int, longest: int) -> list[list[int]]:
        """Lengths of the texts in batches that are typical under a budget of ``tokens`` tokens, to warm
        an engine up with: a text of ``longest`` tokens, a lone one, a full batch.
        """
        usual = min(USUAL_LENGTH, longest)
        return [[longest], [usual], [usual] * max(1, tokens // self.size(usual))]

    @abstractmethod
    def feeds(self, sequences: Sequence[IntArray]) -> dict[str, IntArray]:
        """The inputs of any graph of this layout for n non-empty sequences, all int64.

        A sequence is token ids [tokens], or [tokens, 2] with the token types beside them, which are
        else 0. ``input_ids``, ``token_type_ids`` and ``position_ids`` [b, t] are the tokens; ``slots``
        [r, w] is the flat index of the token in each attention slot and ``places`` [b, t] of the slot
        of each token;
        ``segment_ids`` [r, w] is i + 1 in the slots of sequence i and 0 in a slot without a token,
        where ``slots`` is 0 and never counts; ``starts`` [n] is the flat index of each first token or,
        with a ``mask_token_id``, of each first mask.
        """

    @abstractmethod
    def by_text(self, outputs: Floats, sequences: Sequence[IntArray]) -> Outputs:
        """What a graph gave for each sequence: rows [n, outputs] as they are, or of a graph with an
        output for each token, [b, t, outputs], those of its own tokens.
        """

    def padded(self) -> "Layout":
        """The rectangle that the same graph takes."""
        return PaddedLayout(**asdict(self))

    def to_fields(self) -> dict[str, Any]:
        """The manifest's form."""
        return {"kind": self.kind, **asdict(self)}

    @staticmethod
    def from_fields(fields: dict[str, Any]) -> "Layout":
        """Read what ``to_fields`` wrote; ``ValueError`` names what can't be so."""
        kind = fields.get("kind")
        if not isinstance(kind, str) or kind not in _KINDS:
            raise ValueError(f"a layout's kind is {kind!r} and this Strop reads {', '.join(_KINDS)}")
        return build(
            _KINDS[kind], {name: value for name, value in fields.items() if name != "kind"}, "layout"
        )

    def masks(self, sequence: IntArray) -> int:
        """How many masks a sequence has; none without a ``mask_token_id``."""
        return int((_ids(sequence) == self.mask_token_id).sum())

    def _read_at(self, sequences: Sequence[IntArray]) -> IntArray:
        """The place in each sequence at which it is read: 0, or its first mask's if it has one."""
        if self.mask_token_id is None:
            return np.zeros(len(sequences), dtype=np.int64)
        return np.array([(_ids(one) == self.mask_token_id).argmax() for one in sequences])

    def _aligned(self, length: int) -> int:
        return -(-length // self.alignment) * self.alignment


class PackedLayout(Layout):
    """Sequences laid end to end in one row of tokens: no padding reaches a dense layer.

    Attention runs in rows as wide as the longest sequence needs, each shared by as many sequences as
    fit: a fraction of the products that one mask over all tokens takes.
    """

    kind = "packed"

    def computed(self, texts: int, longest: int, tokens: int) -> int:
        """Those of the texts and no other."""
        return tokens

    def feeds(self, sequences: Sequence[IntArray]) -> dict[str, IntArray]:
        """One row of tokens: b is 1 and t the sum of the lengths. What ``tokens`` gives is there, too."""
        lengths = [len(sequence) for sequence in sequences]
        width, rows, slot_starts = fill_rows([self._aligned(length) for length in lengths])
        tokens = self.tokens(sequences)
        places = tokens["position_ids"][0] - self.first_position + np.repeat(slot_starts, lengths)
        slots = np.zeros(rows * width, dtype=np.int64)
        slots[places] = np.arange(len(places))
        segment_ids = np.zeros(rows * width, dtype=np.int64)
        segment_ids[places] = np.repeat(np.arange(1, len(lengths) + 1), lengths)
        return tokens | {
            "slots": slots.reshape(rows, width),
            "segment_ids": segment_ids.reshape(rows, width),
            "places": places[np.newaxis],
        }

    def tokens(self, sequences: Sequence[IntArray]) -> dict[str, IntArray]:
        """Of the feeds those of a program whose attention reads lengths instead of slots.

        ``cu_seqlens`` [n + 1] is where each sequence begins in the row of tokens and, last, where all
        end.
        """
        lengths = [len(sequence) for sequence in sequences]
        ends = np.cumsum([0, *lengths])
        ids, types = _columns(sequences)
        within = np.arange(ends[-1]) - np.repeat(ends[:-1], lengths)
        return {
            "input_ids": ids[np.newaxis],
            "token_type_ids": types[np.newaxis],
            "position_ids": within[np.newaxis] + self.first_position,
            "cu_seqlens": ends,
            "starts": ends[:-1] + self._read_at(sequences),
        }

    def by_text(self, outputs: Floats, sequences: Sequence[IntArray]) -> Outputs:
        """Cuts the one row of tokens."""
        if outputs.ndim == 2:
            return outputs
        return np.split(outputs[0], np.cumsum([len(sequence) for sequence in sequences[:-1]]))


class PaddedLayout(Layout):
    """One row for each sequence, padded to the longest: for an engine that wants a rectangle."""

    kind = "padded"

    def computed(self, texts: int, longest: int, tokens: int) -> int:
        """As many rows as texts, of the longest one's aligned length."""
        return texts * self.length(longest)

    def length(self, longest: int) -> int:
        """Tokens of a row that holds a sequence of ``longest`` tokens."""
        return self._aligned(longest)

    def feeds(self, sequences: Sequence[IntArray]) -> dict[str, IntArray]:
        """A row for each sequence: b is n and t the longest length, aligned; slots are tokens."""
        input_ids, types, real = self._rectangle(sequences)
        slots = np.arange(input_ids.size).reshape(input_ids.shape)
        return {
            "input_ids": input_ids,
            "token_type_ids": types,
            "position_ids": np.where(real, np.arange(real.shape[1]), 0) + self.first_position,
            "slots": slots,
            "segment_ids": real * np.arange(1, len(real) + 1)[:, np.newaxis],
            "places": slots,
            "starts": slots[:, 0] + self._read_at(sequences),
        }

    def by_text(self, outputs: Floats, sequences: Sequence[IntArray]) -> Outputs:
        """Leaves out the padding of each row."""
        if outputs.ndim == 2:
            return outputs
        return [row[: len(sequence)] for row, sequence in zip(outputs, sequences, strict=True)]

    def _rectangle(self, sequences: Sequence[IntArray]) -> tuple[IntArray, IntArray, NDArray[np.bool_]]:
        """Token ids and types [n, t] and where they are real; t is the longest length, aligned."""
        lengths = np.array([len(sequence) for sequence in sequences])
        real = np.arange(self.length(int(lengths.max()))) < lengths[:, np.newaxis]
        input_ids = np.full(real.shape, self.pad_token_id, dtype=np.int64)
        types = np.zeros(real.shape, dtype=np.int64)
        input_ids[real], types[real] = _columns(sequences)
        return input_ids, types, real


class MaskedLayout(PaddedLayout):
    """The padded rectangle with a mask, as a transformers model takes it: graphs of other exporters."""

    kind = "masked"

    def feeds(self, sequences: Sequence[IntArray]) -> dict[str, IntArray]:
        """``input_ids``, ``token_type_ids`` and ``attention_mask``, [n, t]: t is the longest length,
        aligned.
        """
        input_ids, types, real = self._rectangle(sequences)
        return {"input_ids": input_ids, "token_type_ids": types, "attention_mask": real.astype(np.int64)}

    def padded(self) -> Layout:
        """Itself: it is a rectangle."""
        return self


_KINDS: dict[str, type[Layout]] = {
    layout.kind: layout for layout in (PackedLayout, PaddedLayout, MaskedLayout)
}


def _ids(sequence: IntArray) -> IntArray:
    """Token ids [tokens] without the token types that may stand beside them."""
    return sequence if sequence.ndim == 1 else sequence[:, 0]


def _columns(sequences: Sequence[IntArray]) -> tuple[IntArray, IntArray]:
    """Ids and types of all tokens, end to end."""
    tokens = np.concatenate(sequences)
    if tokens.ndim == 1:
        return tokens, np.zeros_like(tokens)
    return tokens[:, 0], tokens[:, 1]
