"""The nouns of serving: a call's work, a batch of it, its answer. Times are monotonic seconds."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from strop.export.bundle import Encoded, Text, count_windows
from strop.tasks import Outputs, by_example

IntArray = NDArray[np.int64]


class Priority(IntEnum):
    """Who goes first where there is more work than engines."""

    INTERACTIVE = 0
    """Somebody waits for the answer."""
    BULK = 1
    """Takes the room that interactive texts leave, and a small share of the box beside them."""


@dataclass(frozen=True, slots=True)
class Query:
    """What a call asks, in domain terms: texts, or the tokens that a caller made of them."""

    texts: Sequence[Text] = ()
    encoded: Sequence[Encoded] = ()
    """Instead of texts, from a caller with a tokenizer of its own."""
    seconds: float = float("inf")
    """From now until the answer is worth nothing to the caller."""
    priority: Priority = Priority.INTERACTIVE
    client: str = ""
    """Whose call it is: clients share the engines evenly when they want more than there is."""
    refuse_long: bool = False
    """Refuse a text longer than the model takes instead of truncating it."""
    request_id: str = ""
    """By which its caller can speak of it afterwards."""

    def __len__(self) -> int:
        """How many texts it has."""
        return len(self.texts) or len(self.encoded)


@dataclass(frozen=True, slots=True)
class Timings:
    """Where a call's time went, in seconds; the wait for the event loop is in ``total`` alone."""

    tokenise: float
    queue: float
    compute: float
    total: float


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call gets back: an output and an ``Encoded`` per text, or per window of a text."""

    outputs: Outputs
    encoded: Sequence[Encoded]
    timings: Timings
    engine_seconds: float = 0.0
    """Engine time that its texts took: of each batch, the part that their tokens are of it."""

    def by_text(self, found: Any) -> list[Any]:
        """What there is for each of ``encoded``, in lists for texts of one window or more."""
        return by_example(found, count_windows(self.encoded))


@dataclass(slots=True, eq=False, weakref_slot=True)
class Work:
    """One call's texts, from arrival to answer; they may be spread over several batches.

    Past the tokeniser, a text that is read in windows is as many as those.
    """

    query: Query
    arrived: float
    future: "asyncio.Future[Answer]"
    deadline: float = field(init=False)
    """When the answer is worth nothing any more."""

    encoded: Sequence[Encoded] = ()
    sizes: Sequence[int] = ()
    """Tokens that each text, or each window of a text, takes alone; empty until it is queued."""
    queued: float = 0.0
    """When it was tokenised and joined the queue."""
    started: float = 0.0
    """When its first text joined a batch."""
    placed: int = 0
    """Texts that have joined a batch; always the first ones."""
    waiting_tokens: int = 0
    """Tokens of its queued texts that are not yet in a batch."""
    scored: int = 0
    engine_seconds: float = 0.0
    abandoned: bool = False
    """Nobody waits for it any more: none of its texts may join a batch."""
    _outputs: Any = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        self.deadline = self.arrived + self.query.seconds

    @property
    def inputs(self) -> int:
        """What it asks the model: its texts or, once it is queued, their windows."""
        return len(self.sizes) or len(self.query)

    @property
    def waiting_texts(self) -> int:
        """Texts, or windows of texts, that are not yet in a batch."""
        return 0 if self.abandoned else self.inputs - self.placed

    def score(self, start: int, rows: Outputs) -> bool:
        """Take the outputs of the texts from ``start`` on; returns whether all are scored."""
        if self._outputs is None:
            if isinstance(rows, np.ndarray):
                self._outputs = np.empty((self.inputs, *rows.shape[1:]), dtype=np.float32)
            else:
                self._outputs = [None] * self.inputs
        self._outputs[start : start + len(rows)] = rows
        self.scored += len(rows)
        return self.scored == self.inputs

    def answer(self, finished: float, now: float) -> Answer:
        """The answer of a call whose last text was scored at ``finished``."""
        assert self._outputs is not None  # noqa: S101
        timings = Timings(
            tokenise=self.queued - self.arrived,
            queue=self.started - self.queued,
            compute=finished - self.started,
            total=now - self.arrived,
        )
        return Answer(self._outputs, self.encoded, timings, self.engine_seconds)

    def fail(self, error: Exception) -> None:
        """End the call with ``error``, unless it has already ended."""
        if not self.future.done():
            self.future.set_exception(error)


@dataclass(frozen=True, slots=True)
class Share:
    """The texts of one call, from ``start`` up to ``stop``, that are in a batch."""

    work: Work
    start: int
    stop: int

    @property
    def tokens(self) -> int:
        """What its texts would take alone."""
        return sum(self.work.sizes[self.start : self.stop])


@dataclass(frozen=True, slots=True)
class Batch:
    """Texts that are computed together; the rows of its result are in the order of its shares."""

    shares: Sequence[Share]
    tokens: int
    """Tokens that the engine computes."""
    formed: float

    @property
    def sequences(self) -> list[IntArray]:
        """Token ids of every text."""
        return [
            encoded.ids for share in self.shares for encoded in share.work.encoded[share.start : share.stop]
        ]

    @property
    def texts(self) -> int:
        """How many texts it holds."""
        return sum(share.stop - share.start for share in self.shares)

    @property
    def padding_share(self) -> float:
        """The part of its tokens that is padding."""
        return 1.0 - sum(len(sequence) for sequence in self.sequences) / self.tokens
