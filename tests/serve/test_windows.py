"""Texts that are read in several windows: each call gets its own, and the books count them."""

import asyncio
from collections.abc import Sequence

import numpy as np
import pytest

from strop.export.bundle import Encoded, Text
from strop.serve.core import Answer, Query, Timings, Work
from strop.serve.errors import InvalidArgumentError
from strop.serve.inference.encode import Tokeniser
from strop.serve.scheduling.batcher import Batcher
from strop.serve.scheduling.draft import Limits
from strop.serve.scheduling.forecast import Forecast


class Windows:
    """Reads a text in as many windows as it has letters; one with an X has lost its end."""

    def encode(self, texts: Sequence[Text]) -> list[Encoded]:
        return [
            Encoded(np.full(2, ord(letter)), "X" in text and not place, window=place)
            for text in texts
            for place, letter in enumerate(text)
        ]


def a_batcher() -> Batcher:
    return Batcher(Limits(8, 20, 40), Forecast(1, [(8, 0.008)]), lambda texts, longest, tokens: tokens)


def a_call(loop: asyncio.AbstractEventLoop, *texts: str, refuse_long: bool = False) -> Work:
    return Work(Query(texts, refuse_long=refuse_long), 0.0, loop.create_future())


def test_calls_that_are_tokenised_together_each_get_their_own_windows() -> None:
    loop, found, failed = asyncio.new_event_loop(), {}, {}
    tokeniser = Tokeniser(Windows(), found.__setitem__, failed.__setitem__)
    calls = [
        a_call(loop, "abc" * 200, "d"),
        a_call(loop, "ef" * 300),
        a_call(loop, "g", "hX", refuse_long=True),
    ]
    for call in calls:
        tokeniser.submit(call)
    tokeniser.close()
    loop.close()
    read = {call: "".join(chr(one.ids[0]) for one in windows) for call, windows in found.items()}
    assert read == {calls[0]: "abc" * 200 + "d", calls[1]: "ef" * 300}
    assert isinstance(failed[calls[2]], InvalidArgumentError)
    assert str(failed[calls[2]]).startswith("text 1 is longer")


def test_an_answer_knows_the_windows_of_each_text() -> None:
    encoded = Windows().encode(["abc", "d", "ef"])
    answer = Answer(np.arange(6.0), encoded, Timings(0, 0, 0, 0))
    assert [list(part) for part in answer.by_text(answer.outputs)] == [[0, 1, 2], [3], [4, 5]]


def test_the_books_count_windows_until_each_is_computed_or_dropped() -> None:
    loop, batcher = asyncio.new_event_loop(), a_batcher()
    calls = [a_call(loop, "one", "two"), a_call(loop, "three")]
    for call in calls:
        batcher.admit(call, 0.0)
    assert batcher.texts == 3
    batcher.enqueue(calls[0], [2] * 5)
    batcher.enqueue(calls[1], [2] * 4)
    assert (batcher.texts, batcher.tokens, calls[0].waiting_texts) == (9, 18, 5)
    first, _ = batcher.take(0.0)
    assert first is not None
    assert batcher.drop(calls[0])
    assert (batcher.texts, calls[1].waiting_texts) == (4, 4)
    rows = 0
    while (batch := batcher.take(0.0)[0]) is not None:
        for share in batch.shares:
            rows += share.stop - share.start
            done = share.work.score(share.start, np.ones((share.stop - share.start, 1), np.float32))
    assert (rows, done) == (4, True)
    assert (batcher.texts, batcher.tokens) == (0, 0)
    loop.close()


def test_a_call_of_too_many_windows_is_refused_and_leaves_no_trace() -> None:
    loop, batcher = asyncio.new_event_loop(), a_batcher()
    call = a_call(loop, "long")
    batcher.admit(call, 0.0)
    with pytest.raises(InvalidArgumentError, match="42 tokens in one call are too many; send at most 20"):
        batcher.enqueue(call, [2] * 21)
    batcher.drop(call)
    assert (batcher.texts, batcher.tokens) == (0, 0)
    loop.close()
