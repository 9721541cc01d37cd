"""The same engine without a server: what it reaches in-process with free choice of batching."""

import itertools
import math
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from strop.export.bundle import Bundle, Session
from strop.tasks import softmax

BUDGETS = (96, 128, 160, 192, 256, 384)
"""Tokens in a batch that the search tries."""
FINALISTS = 4
AGAIN = 2


@dataclass(frozen=True)
class Plan:
    """One way to batch a list of texts."""

    instances: int
    """Batches computed at the same time."""
    threads: int
    """Threads that compute one batch."""
    tokens: int
    """Tokens in a batch."""
    by_length: bool
    """Whether the texts are sorted first, so that a batch holds texts of one length."""
    padded: bool = False
    """Whether a batch is a rectangle instead of the bundle's own layout."""

    def __str__(self) -> str:
        shape = "padded" if self.padded else "as the bundle lays them out"
        order = "sorted by length" if self.by_length else "as they come"
        threads = f"{self.threads} thread" + ("s" if self.threads > 1 else "")
        return f"{self.instances} × {threads}, {self.tokens} tokens, {shape}, {order}"


def plans(cores: int) -> list[Plan]:
    """Every plan that uses ``cores`` cores."""
    shapes = [(cores // threads, threads) for threads in range(1, cores + 1) if cores % threads == 0]
    return [
        Plan(instances, threads, tokens, by_length, padded)
        for (instances, threads), tokens in itertools.product(shapes, BUDGETS)
        # Rectangles of unsorted texts are mostly padding.
        for by_length, padded in ((False, False), (True, False), (True, True))
    ]


def choose(candidates: Sequence[Plan], measure: Callable[[Plan], float]) -> Plan:
    """The plan of the highest rate: each is measured once, the best few twice more, by the median."""
    rates = {plan: [measure(plan)] for plan in candidates}
    finalists = sorted(rates, key=lambda plan: rates[plan][0], reverse=True)[:FINALISTS]
    for _ in range(AGAIN):
        for plan in finalists:
            rates[plan].append(measure(plan))
    return max(finalists, key=lambda plan: median(rates[plan]))


class Offline:
    """One variant in this process, on texts that are already tokens."""

    def __init__(self, bundle: Bundle, variant: str, texts: Sequence[str]) -> None:
        self._variant = bundle.variant(variant)
        self._model = bundle.model_file(self._variant)
        self._sequences = [encoded.ids for encoded in bundle.text_encoder().encode(texts)]
        self._sessions: dict[int, Session] = {}
        self._seconds_per_pass: dict[Plan, float] = {}

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text, special tokens included."""
        return [len(sequence) for sequence in self._sequences]

    def rate(self, plan: Plan, seconds: float) -> float:
        """Texts per second: the list is worked off as often as fits into ``seconds``, at least once."""
        layout = self._variant.layout.padded() if plan.padded else self._variant.layout
        sequences = sorted(self._sequences, key=len, reverse=True) if plan.by_length else self._sequences
        batches = list(layout.batches(sequences, plan.tokens))
        session = self._session(plan.threads)
        passes = max(1, round(seconds / self._seconds_per_pass.get(plan, math.inf)))
        started = time.perf_counter()
        with ThreadPoolExecutor(plan.instances) as pool:
            for _ in pool.map(lambda batch: softmax(session.run(layout.feeds(batch))), batches * passes):
                pass
        took = time.perf_counter() - started
        self._seconds_per_pass[plan] = took / passes
        return passes * len(sequences) / took

    def run_seconds(self, text: int, threads: int) -> float:
        """Seconds of one bare run of the session on a text alone."""
        feeds = self._variant.layout.feeds([self._sequences[text]])
        session = self._session(threads)
        started = time.perf_counter()
        session.run(feeds)
        return time.perf_counter() - started

    def answers(self) -> list[NDArray[np.float32]]:
        """Probabilities of shape [classes] of each text, computed alone."""
        layout, session = self._variant.layout, self._session(1)
        return [softmax(session.run(layout.feeds([sequence])))[0] for sequence in self._sequences]

    def _session(self, threads: int) -> Session:
        if threads not in self._sessions:
            session = Session(self._model, provider=self._variant.provider, threads=threads)
            session.run(self._variant.layout.feeds(self._sequences[:1]))
            self._sessions[threads] = session
        return self._sessions[threads]
