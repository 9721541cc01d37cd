"""The store of answers and of what callers say was right: one SQLite file of a bounded size.

``strop serve`` writes it, several processes at once, and ``strop data from-feedback`` reads it.
"""

import contextlib
import json
import sqlite3
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from .errors import InputError

APPLICATION = 0x5354524F
"""SQLite's application id of such a file: STRO in ASCII."""
VERSION = 1
MEGABYTE = 1_000_000
BUSY_SECONDS = 10.0
EVICTED = 16
"""Answers that make room together."""
REMEMBERED = 10_000
"""The latest answers without a text that texts don't push out: feedback on those is still to come."""
REMEMBERED_BYTES = 200
WAL_PAGES = 250

TABLES = """
CREATE TABLE IF NOT EXISTS models (
    id INTEGER PRIMARY KEY, name TEXT NOT NULL, version TEXT NOT NULL, task TEXT NOT NULL,
    labels TEXT NOT NULL, UNIQUE (name, version, task, labels));
CREATE TABLE IF NOT EXISTS answers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    request TEXT NOT NULL, place INTEGER NOT NULL, time REAL NOT NULL,
    model INTEGER NOT NULL REFERENCES models, label TEXT NOT NULL, confidence REAL,
    text TEXT, pair TEXT, kept INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS by_request ON answers (request, place);
CREATE INDEX IF NOT EXISTS by_age ON answers (kept, id);
CREATE TABLE IF NOT EXISTS feedback (
    id INTEGER PRIMARY KEY, answer INTEGER NOT NULL REFERENCES answers ON DELETE CASCADE,
    time REAL NOT NULL, label TEXT NOT NULL, comment TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS by_answer ON feedback (answer);
"""

Label = Any
"""As a row of a data set has it: a name, a list of them, a number; None for none."""


@dataclass(frozen=True)
class AnsweredBy:
    """The model that answered."""

    name: str
    version: str
    task: str
    labels: tuple[str, ...]


@dataclass(frozen=True)
class Answered:
    """What was answered to one text of a request."""

    request: str
    """The id of the request."""
    place: int
    """Of the text in the request, from 0."""
    time: float
    """Seconds since the epoch."""
    label: Label
    confidence: float | None = None
    """Of the answer, from 0 to 1; None where a task doesn't tell."""
    text: str | None = None
    """None unless it was sampled."""
    pair: str | None = None


@dataclass(frozen=True)
class Correction:
    """What a caller said of an answer."""

    time: float
    label: Label
    """What would have been right; None where only a comment was given."""
    comment: str


@dataclass(frozen=True)
class Stored:
    """An answer with what was said of it, in the order in which it was said."""

    number: int
    """Rises with every answer."""
    answered: Answered
    by: AnsweredBy
    corrections: tuple[Correction, ...]


class FeedbackStore:
    """An open store, for one thread at a time.

    Where it is full, the oldest answers make room: first those without a text and without feedback,
    but for the latest ``REMEMBERED``, then the others.
    """

    def __init__(self, connection: sqlite3.Connection, remembered: int, most_pages: int) -> None:
        self._connection = connection
        self._remembered = remembered
        self._most_pages = most_pages

    @classmethod
    def open(cls, path: Path, megabytes: float) -> Self:
        """Open a store, or begin it; ``InputError`` when the file can't be one.

        ``megabytes`` bounds the file; its write-ahead log takes at most another few.
        """
        try:
            connection = sqlite3.connect(
                path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            _require_ours(connection, path, new=True)
            connection.execute("PRAGMA auto_vacuum = INCREMENTAL")  # before there is a table
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = NORMAL")
            connection.execute("PRAGMA foreign_keys = ON")
            connection.execute(f"PRAGMA wal_autocheckpoint = {WAL_PAGES}")
            connection.executescript(
                f"BEGIN IMMEDIATE; PRAGMA application_id = {APPLICATION}; PRAGMA user_version = {VERSION};"
                f"{TABLES} COMMIT;"
            )
            (page_bytes,) = connection.execute("PRAGMA page_size").fetchone()
            pages = int(megabytes * MEGABYTE / page_bytes)
            connection.execute(f"PRAGMA journal_size_limit = {WAL_PAGES * page_bytes}")
        except sqlite3.Error as error:
            raise InputError(f"{path} can't be a store of feedback: {error}; name another file") from error
        remembered = min(REMEMBERED, int(megabytes * MEGABYTE / 4 / REMEMBERED_BYTES))
        store = cls(connection, remembered, pages)
        store._trim()
        connection.executescript("PRAGMA incremental_vacuum")  # execute would free one page alone
        connection.execute(f"PRAGMA max_page_count = {pages}")
        return store

    @classmethod
    def read_only(cls, path: Path) -> Self:
        """Open a store to read it, also while a server writes it; ``InputError`` if it isn't one."""
        if not path.is_file():
            raise InputError(f"{path} does not exist; give the file of strop serve --feedback")
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS
            )
            _require_ours(connection, path, new=False)
        except sqlite3.Error as error:
            raise InputError(f"{path} can't be read as a store of feedback: {error}") from error
        return cls(connection, 0, 0)

    def close(self) -> None:
        """Close the file; what was added is in it."""
        self._connection.close()

    def add(self, by: AnsweredBy, answers: Sequence[Answered]) -> None:
        """Keep answers of one model, making room for them.

        ``sqlite3.Error`` if they can't be kept: the disk is full, or they need more than all the room.
        """
        while True:
            try:
                with self._transaction():
                    self._insert(self._model(by), answers)
                break
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL or not self._evict():
                    raise
        self._trim()

    def find(self, request: str, place: int) -> list[Stored]:
        """The answers to that text of the requests of that id."""
        return list(self._stored("WHERE request = ? AND place = ?", request, place))

    def correct(self, number: int, correction: Correction) -> bool:
        """Keep what was said of an answer; False if that has made room for others meanwhile."""
        while True:
            try:
                with self._transaction():
                    changed = self._connection.execute(
                        "UPDATE answers SET kept = 1 WHERE id = ?", [number]
                    ).rowcount
                    if changed:
                        self._connection.execute(
                            "INSERT INTO feedback (answer, time, label, comment) VALUES (?, ?, ?, ?)",
                            [number, correction.time, _json(correction.label), correction.comment],
                        )
                return bool(changed)
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode != sqlite3.SQLITE_FULL or not self._evict():
                    raise

    def stored(self, since: float = 0.0) -> Iterator[Stored]:
        """Every answer since a time that has a text or feedback, the oldest first."""
        return self._stored("WHERE kept AND answers.time >= ?", since)

    @property
    def bytes(self) -> int:
        """What its pages in use take."""
        return self._used_pages * int(self._pragma("page_size"))

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

    def _trim(self) -> None:
        # A sixteenth stays free, so that what comes next, and the room it makes, have pages to work in.
        while self._used_pages > self._most_pages * 15 // 16 and self._evict():
            pass

    def _evict(self) -> bool:
        """Let some of the oldest answers go; False if there is none."""
        with self._transaction():
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

    @property
    def _used_pages(self) -> int:
        return int(self._pragma("page_count")) - int(self._pragma("freelist_count"))

    def _pragma(self, name: str) -> Any:
        return self._connection.execute(f"PRAGMA {name}").fetchone()[0]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # SQLite has rolled back by itself where there was no room.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _require_ours(connection: sqlite3.Connection, path: Path, *, new: bool) -> None:
    """``InputError`` unless it is a store of this version or, if it may be ``new``, empty."""
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    if new and not tables:
        return
    if application != APPLICATION:
        raise InputError(f"{path} is another program's SQLite file; name a file of strop serve --feedback")
    if version != VERSION:
        raise InputError(
            f"{path} is a store of version {version} and this Strop reads {VERSION}; begin another"
        )


def _json(value: Label) -> str:
    return json.dumps(value, ensure_ascii=False)
