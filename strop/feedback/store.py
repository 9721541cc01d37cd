"""The store: answers kept, found, corrected, and let go where there is no room."""

import json
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Self, TypeVar

from .database import MEGABYTE, Database
from .records import Answered, AnsweredBy, Correction, Label, Stored

EVICTED = 16
"""Answers that make room together."""
REMEMBERED = 10_000
"""The latest answers without a text that texts don't push out: feedback on those is still to come."""
REMEMBERED_BYTES = 200

T = TypeVar("T")


class FeedbackStore:
    """An open store, for one thread at a time.

    Where it is full, the oldest answers make room: first those without a text and without feedback,
    but for the latest ``REMEMBERED``, then the others.
    """

    def __init__(self, database: Database, remembered: int = 0) -> None:
        self._database = database
        self._connection = database.connection
        self._remembered = remembered

    @classmethod
    def open(cls, path: Path, megabytes: float) -> Self:
        """Open a store, or begin it; ``InputError`` when the file can't be one.

        ``megabytes`` bounds the file; its write-ahead log takes at most another few.
        """
        database = Database.open(path, megabytes)
        store = cls(database, min(REMEMBERED, int(megabytes * MEGABYTE / 4 / REMEMBERED_BYTES)))
        store._trim()
        database.bound()
        return store

    @classmethod
    def read_only(cls, path: Path) -> Self:
        """Open a store to read it, also while a server writes it; ``InputError`` if it isn't one."""
        return cls(Database.read_only(path))

    def close(self) -> None:
        """Close the file; what was added is in it."""
        self._connection.close()

    def add(self, by: AnsweredBy, answers: Sequence[Answered]) -> None:
        """Keep answers of one model, making room for them.

        ``sqlite3.Error`` if they can't be kept: the disk is full, or they need more than all the room.
        """
        self._making_room(lambda: self._insert(self._model(by), answers))
        self._trim()

    def find(self, request: str, place: int) -> list[Stored]:
        """The answers to that text of the requests of that id."""
        return list(self._stored("WHERE request = ? AND place = ?", request, place))

    def correct(self, number: int, correction: Correction) -> bool:
        """Keep what was said of an answer; False if that has made room for others meanwhile."""

        def write() -> bool:
            changed = self._connection.execute(
                "UPDATE answers SET kept = 1 WHERE id = ?", [number]
            ).rowcount
            if changed:
                self._connection.execute(
                    "INSERT INTO feedback (answer, time, label, comment) VALUES (?, ?, ?, ?)",
                    [number, correction.time, _json(correction.label), correction.comment],
                )
            return bool(changed)

        return self._making_room(write)

    def stored(self, since: float = 0.0) -> Iterator[Stored]:
        """Every answer since a time that has a text or feedback, the oldest first."""
        return self._stored("WHERE kept AND answers.time >= ?", since)

    @property
    def bytes(self) -> int:
        """What its pages in use take."""
        return self._database.used_bytes

    def _stored(self, where: str, *values: object) -> Iterator[Stored]:
        rows = self._connection.execute(
            "SELECT answers.id, request, place, time, label, confidence, text, pair,"
            " name, version, task, labels"
            f" FROM answers JOIN models ON models.id = answers.model {where} ORDER BY answers.id",
            values,
        )
        for (
            number,
            request,
            place,
            time,
            label,
            confidence,
            text,
            pair,
            name,
            version,
            task,
            labels,
        ) in rows:
            yield Stored(
                number,
                Answered(request, place, time, json.loads(label), confidence, text, pair),
                AnsweredBy(name, version, task, tuple(json.loads(labels))),
                tuple(
                    Correction(when, json.loads(right), comment)
                    for when, right, comment in self._connection.execute(
                        "SELECT time, label, comment FROM feedback WHERE answer = ? ORDER BY id", [number]
                    )
                ),
            )

    def _model(self, by: AnsweredBy) -> int:
        key = (by.name, by.version, by.task, _json(by.labels))
        self._connection.execute(
            "INSERT OR IGNORE INTO models (name, version, task, labels) VALUES (?, ?, ?, ?)", key
        )
        (number,) = self._connection.execute(
            "SELECT id FROM models WHERE name = ? AND version = ? AND task = ? AND labels = ?", key
        ).fetchone()
        return int(number)

    def _insert(self, model: int, answers: Sequence[Answered]) -> None:
        self._connection.executemany(
            "INSERT INTO answers (request, place, time, model, label, confidence, text, pair, kept)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    one.request,
                    one.place,
                    one.time,
                    model,
                    _json(one.label),
                    one.confidence,
                    one.text,
                    one.pair,
                    one.text is not None,
                )
                for one in answers
            ],
        )

    def _making_room(self, write: Callable[[], T]) -> T:
        """What ``write`` returns, done whole, and tried again for as long as answers make room for it."""
        while True:
            try:
                with self._database.transaction():
                    return write()
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL or not self._evict():
                    raise

    def _trim(self) -> None:
        # A sixteenth stays free, so that what comes next, and the room it makes, have pages to work in.
        while self._database.used_pages > self._database.most_pages * 15 // 16 and self._evict():
            pass

    def _evict(self) -> bool:
        """Let some of the oldest answers go; False if there is none."""
        with self._database.transaction():
            last = self._connection.execute(
                "SELECT id FROM answers WHERE kept = 0 ORDER BY id DESC LIMIT 1 OFFSET ?",
                [self._remembered],
            ).fetchone()
            for condition, values in (
                ("kept = 0 AND id <= ?", last or (0,)),
                ("kept = 1", ()),
                ("kept = 0", ()),
            ):
                gone = self._connection.execute(
                    "DELETE FROM answers WHERE id IN"
                    f" (SELECT id FROM answers WHERE {condition} ORDER BY id LIMIT {EVICTED})",
                    values,
                ).rowcount
                if gone:
                    return True
        return False


def _json(value: Label) -> str:
    return json.dumps(value, ensure_ascii=False)
