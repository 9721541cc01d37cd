"""Answers on their way into the store, by a thread of its own: no call waits for a disk."""

import asyncio
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from strop.feedback import AnsweredBy, FeedbackStore
from strop.redaction import finder, masked

from ..config import ServeConfig
from ..core import Answer, Query
from ..errors import NotFoundError, OverloadError
from ..inference.model import Model
from .corrections import Feedback, take
from .counts import FeedbackCounts
from .entries import Sample, entries, takes_labels

log = logging.getLogger(__name__)

WRITE_SECONDS = 0.2
"""Between two writes: a transaction costs more than what is in it."""
WAITING_TEXTS = 8192
WAITING_CHARACTERS = 8_000_000
WAITING_FEEDBACK = 1024
LONGEST_ID = 256
"""Characters; an answer with a longer one isn't kept."""
LESS_URGENT = 10

_find = finder()


def mask(text: str) -> str:
    """A text without its personal data, by the rules of strop data redact."""
    return masked(text, _find(text))


@dataclass(frozen=True, slots=True)
class _Heard:
    model: Model
    query: Query
    answer: Answer
    time: float


class Recorder:
    """Hears every answer and keeps those for which there is room; takes callers' feedback on them."""

    def __init__(self, config: ServeConfig, counts: FeedbackCounts) -> None:
        """Start the thread; ``InputError`` as ``prepare_store``."""
        assert config.feedback is not None  # noqa: S101
        self._store = FeedbackStore.open(config.feedback, config.feedback_megabytes)
        self._sample = Sample(config.sample_share, config.sample_uncertain, mask)
        self._shared = config.workers > 1
        self._counts = counts
        self._waiting: deque[_Heard] = deque()
        self._texts = self._characters = 0
        self._said: deque[tuple[Feedback, Future[None]]] = deque()
        self._closing = False
        self._changed = threading.Condition()
        self._thread = threading.Thread(target=self._run, name="feedback", daemon=True)
        self._thread.start()

    def answered(self, model: Model, query: Query, answer: Answer) -> None:
        """Keep an answer that has an id soon; one for which there is no room is counted as dropped."""
        if not query.request_id:
            return  # a shadow's
        characters = _characters(query)
        with self._changed:
            if (
                self._texts + len(query) > WAITING_TEXTS
                or self._characters + characters > WAITING_CHARACTERS
                or len(query.request_id) > LONGEST_ID
            ):
                self._counts.dropped(len(query))
                return
            self._waiting.append(_Heard(model, query, answer, time.time()))
            self._texts += len(query)
            self._characters += characters

    async def take(self, said: Feedback) -> None:
        """Write down a caller's word; ``OverloadError`` for one too many, else as ``corrections.take``."""
        try:
            await self._taken(said)
        except NotFoundError:
            if not self._shared:
                raise
            # Another worker gave the answer, and may not have written it yet.
            await asyncio.sleep(2 * WRITE_SECONDS)
            await self._taken(said)
        self._counts.received()

    def close(self) -> None:
        """Write what waits and end the thread."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join()

    async def _taken(self, said: Feedback) -> None:
        taken: Future[None] = Future()
        with self._changed:
            if len(self._said) >= WAITING_FEEDBACK:
                raise OverloadError(f"{WAITING_FEEDBACK} calls of Feedback wait already", WRITE_SECONDS)
            self._said.append((said, taken))
            self._changed.notify()
        await asyncio.wrap_future(taken)

    def _run(self) -> None:
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), os.nice(0) + LESS_URGENT)
        closing = False
        while not closing:
            with self._changed:
                self._changed.wait_for(lambda: self._said or self._closing, WRITE_SECONDS)
                closing = self._closing
            self._write()
            self._hear()
        self._store.close()

    def _write(self) -> None:
        with self._changed:
            heard = list(self._waiting)
            self._waiting.clear()
            self._texts = self._characters = 0
        if not heard:
            return
        try:
            texts = sum(map(self._write_model, _by_model(heard)))
        except Exception as error:
            # Whatever it is, the calls were answered, and the next ones are kept again.
            self._counts.dropped(sum(len(one.query) for one in heard))
            facts = {"calls": len(heard), "error": str(error)}
            log.exception("answers can't be kept", extra={"facts": facts})
        else:
            self._counts.kept(texts)

    def _write_model(self, heard: Sequence[_Heard]) -> int:
        """Write answers of one model; returns how many texts are with them."""
        model = heard[0].model
        found = [
            entry
            for one in heard
            for entry in entries(one.query, one.answer, model.task, model.labels, one.time, self._sample)
        ]
        # Those of a model that tells words are a whole vocabulary.
        labels = model.labels if takes_labels(model.task) else ()
        self._store.add(AnsweredBy(model.name, model.version, model.task.name, labels), found)
        return sum(entry.text is not None for entry in found)

    def _hear(self) -> None:
        while self._said:
            said, taken = self._said.popleft()
            try:
                take(self._store, said, time.time(), mask)
            except Exception as error:  # noqa: BLE001 - it is the caller's to see
                taken.set_exception(error)
            else:
                taken.set_result(None)


def _by_model(heard: Iterable[_Heard]) -> Iterable[Sequence[_Heard]]:
    found: dict[int, list[_Heard]] = {}
    for one in heard:
        found.setdefault(id(one.model), []).append(one)
    return found.values()


def _characters(query: Query) -> int:
    return sum(len(text) if isinstance(text, str) else len(text[0]) + len(text[1]) for text in query.texts)
