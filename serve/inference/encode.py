"""Tokenisation: short calls where they arrive, others off the event loop and together."""

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from itertools import islice
from queue import Empty, SimpleQueue
from typing import Protocol

from strop.export.bundle import Encoded, Text, count_windows
from strop.tasks import by_example

from ..core import Work
from ..errors import InvalidArgumentError

log = logging.getLogger(__name__)

# Two, so that one very long text doesn't hold up everybody else's.
THREADS = 2
# A round takes no more calls past this, for the same reason.
ROUND_CHARACTERS = 16_384
# Tokenising so few characters takes less than handing them to a thread, which costs two switches of
# context and of the interpreter's lock: 60 of about 450 microseconds of CPU a call.
INLINE_CHARACTERS = 512


class Encoder(Protocol):
    """What turns texts into tokens: ``TextEncoder``, or a fake in a test."""

    def encode(self, texts: Sequence[Text]) -> list[Encoded]:
        """One ``Encoded`` per text, or its windows."""
        ...


class Tokeniser:
    """Tokenises calls and hands each to ``done``, or to ``failed`` with its error."""

    def __init__(
        self,
        encoder: Encoder,
        done: Callable[[Work, Sequence[Encoded]], None],
        failed: Callable[[Work, Exception], None],
    ) -> None:
        self._encoder = encoder
        self._done = done
        self._failed = failed
        self._waiting: SimpleQueue[Work | None] = SimpleQueue()
        self._threads = [
            threading.Thread(target=self._loop, name=f"tokenise-{number}", daemon=True)
            for number in range(THREADS)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, work: Work) -> None:
        """Tokenise the call's texts: now if they are short, else soon."""
        if _characters(work) <= INLINE_CHARACTERS:
            self._tokenise([work])
        else:
            self._waiting.put(work)

    def skip(self, work: Work) -> None:
        """Hand over a call that came as tokens."""
        self._hand_over(work, work.query.encoded)

    def close(self) -> None:
        """Finish what was submitted and end the threads."""
        self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def _loop(self) -> None:
        while (first := self._waiting.get()) is not None:
            if live := [work for work in self._round(first) if not work.abandoned]:
                self._tokenise(live)
        self._waiting.put(None)

    def _round(self, first: Work) -> list[Work]:
        """The first call and those that wait behind it, up to ``ROUND_CHARACTERS``."""
        works = [first]
        characters = _characters(first)
        with contextlib.suppress(Empty):
            while characters < ROUND_CHARACTERS:
                work = self._waiting.get_nowait()
                if work is None:
                    self._waiting.put(None)
                    break
                works.append(work)
                characters += _characters(work)
        return works

    def _tokenise(self, works: Sequence[Work]) -> None:
        try:
            encoded = self._encoder.encode([text for work in works for text in work.query.texts])
        except Exception as error:
            log.exception("tokenising %d calls together failed", len(works))
            if len(works) == 1:
                self._failed(works[0], error)
            else:
                for work in works:
                    self._tokenise([work])
            return
        texts = iter(by_example(encoded, count_windows(encoded)))
        for work in works:
            own = islice(texts, len(work.query.texts))
            self._hand_over(work, [window for text in own for window in text])

    def _hand_over(self, work: Work, encoded: Sequence[Encoded]) -> None:
        try:
            _refuse_long(work, encoded)
            self._done(work, encoded)
        except Exception as error:  # noqa: BLE001 - it is the caller's to see, in `failed`
            self._failed(work, error)


def _characters(work: Work) -> int:
    return sum(
        len(text) if isinstance(text, str) else len(text[0]) + len(text[1]) for text in work.query.texts
    )


def _refuse_long(work: Work, encoded: Sequence[Encoded]) -> None:
    if not work.query.refuse_long:
        return
    for number, one in enumerate(one for one in encoded if not one.window):
        if one.truncated:
            raise InvalidArgumentError(
                f"text {number} is longer than the {len(one.ids)} tokens that the model takes;"
                " shorten it, or let it be truncated (on_long)"
            )
