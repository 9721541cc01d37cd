"""The store of answers: its bounds, what makes room, and what isn't one."""

import sqlite3
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strop.errors import InputError
from strop.feedback import Answered, AnsweredBy, Correction, FeedbackStore

BY = AnsweredBy("tiny", "3", "text-classification", ("bad", "good"))


def answer(number: int, text: str | None = None) -> Answered:
    return Answered(f"request-{number}", 0, float(number), "good", 0.75, text)


def numbers(store: FeedbackStore) -> list[int]:
    return [one.number for one in store.stored()]


# Lone surrogates are no text that a call could bring.
text = st.one_of(st.none(), st.integers(0, 60_000).map(lambda size: "é" * size))


@settings(max_examples=12)
@given(st.lists(st.lists(text, min_size=1, max_size=20), min_size=1, max_size=25))
def test_the_file_never_grows_past_its_bound_and_the_newest_texts_are_in_it(
    batches: list[list[str | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "store.db")
        store, number = FeedbackStore.open(path, 1), 0
        kept: list[int] = []
        for batch in batches:
            answers = [answer(number + place, text) for place, text in enumerate(batch)]
            try:
                store.add(BY, answers)
            except sqlite3.OperationalError:
                assert sum(len((text or "").encode()) for text in batch) > 900_000
            else:
                kept += [number + place for place, text in enumerate(batch) if text is not None]
            number += len(batch)
            assert path.stat().st_size <= 1_000_000
        found = [int(one.answered.request.removeprefix("request-")) for one in store.stored()]
        assert found == kept[len(kept) - len(found) :]
        store.close()


def test_texts_push_out_older_texts_but_not_the_latest_answers_without_one(tmp_path: Path) -> None:
    store = FeedbackStore.open(tmp_path / "store.db", 1)
    store.add(BY, [answer(number) for number in range(1250)])
    for batch in range(20):
        store.add(BY, [answer(2000 + 50 * batch + place, "x" * 2000) for place in range(50)])
    assert store.find("request-1249", 0)
    assert not store.find("request-2000", 0)
    assert store.find("request-2999", 0)
    assert store.bytes <= 1_000_000
    store.close()


def test_answers_without_a_text_never_push_out_feedback(tmp_path: Path) -> None:
    store = FeedbackStore.open(tmp_path / "store.db", 1)
    store.add(BY, [answer(0)])
    (found,) = store.find("request-0", 0)
    assert store.correct(found.number, Correction(1.0, "bad", "no"))
    for batch in range(30):
        store.add(BY, [answer(1 + 500 * batch + place) for place in range(500)])
    assert not store.find("request-1", 0)
    (found,) = store.stored()
    assert found.corrections == (Correction(1.0, "bad", "no"),)
    assert not store.correct(2, Correction(1.0, "bad", ""))
    store.close()


def test_several_writers_share_one_file(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    FeedbackStore.open(path, 4).close()

    def write(first: int) -> None:
        store = FeedbackStore.open(path, 4)
        for batch in range(10):
            store.add(BY, [answer(first + 10 * batch + place, "text") for place in range(10)])
        store.close()

    threads = [threading.Thread(target=write, args=[1000 * number]) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store = FeedbackStore.read_only(path)
    assert len({one.answered.request for one in store.stored()}) == 400
    store.close()


def test_a_store_that_is_opened_with_less_room_shrinks(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    store = FeedbackStore.open(path, 4)
    store.add(BY, [answer(number, "x" * 1000) for number in range(2500)])
    store.close()
    assert path.stat().st_size > 2_000_000
    FeedbackStore.open(path, 1).close()
    assert path.stat().st_size <= 1_000_000


def test_what_is_no_store_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    path.write_bytes(b"not a database, but some text that is long enough to be read as one " * 9)
    with pytest.raises(InputError, match="can't be a store of feedback"):
        FeedbackStore.open(path, 1)
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as connection:
        connection.execute("CREATE TABLE mine (x)")
    connection.close()
    for open_it in (lambda: FeedbackStore.open(other, 1), lambda: FeedbackStore.read_only(other)):
        with pytest.raises(InputError, match="another program's SQLite file"):
            open_it()
    with pytest.raises(InputError, match="does not exist; give the file of strop serve --feedback"):
        FeedbackStore.read_only(tmp_path / "none.db")
