"""The store's SQLite file: its tables, its bounded size, and that it is no other program's."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

from strop.errors import InputError

APPLICATION = 0x5354524F
"""SQLite's application id of such a file: STRO in ASCII."""
VERSION = 1
MEGABYTE = 1_000_000
BUSY_SECONDS = 10.0
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


class Database:
    """An open file, for one thread at a time."""

    def __init__(self, connection: sqlite3.Connection, most_pages: int) -> None:
        self.connection = connection
        self.most_pages = most_pages
        """Of the file; its write-ahead log takes at most another few megabytes."""

    @classmethod
    def open(cls, path: Path, megabytes: float) -> Self:
        """Open a file, or begin it; ``InputError`` when it can't be one.

        It may be larger than ``megabytes`` until ``bound`` is called.
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
            connection.execute(f"PRAGMA journal_size_limit = {WAL_PAGES * page_bytes}")
        except sqlite3.Error as error:
            raise InputError(f"{path} can't be a store of feedback: {error}; name another file") from error
        return cls(connection, int(megabytes * MEGABYTE / page_bytes))

    @classmethod
    def read_only(cls, path: Path) -> Self:
        """Open a file to read it, also while a server writes it; ``InputError`` if it isn't one."""
        if not path.is_file():
            raise InputError(f"{path} does not exist; give the file of strop serve --feedback")
        try:
            connection = sqlite3.connect(
                f"{path.absolute().as_uri()}?mode=ro", uri=True, timeout=BUSY_SECONDS
            )
            _require_ours(connection, path, new=False)
        except sqlite3.Error as error:
            raise InputError(f"{path} can't be read as a store of feedback: {error}") from error
        return cls(connection, 0)

    def bound(self) -> None:
        """Give back the pages that are free, and let SQLite refuse more than ``most_pages`` from now on."""
        self.connection.executescript("PRAGMA incremental_vacuum")  # execute would free one page alone
        self.connection.execute(f"PRAGMA max_page_count = {self.most_pages}")

    @property
    def used_pages(self) -> int:
        """Pages that hold something."""
        return int(self._pragma("page_count")) - int(self._pragma("freelist_count"))

    @property
    def used_bytes(self) -> int:
        """What those take."""
        return self.used_pages * int(self._pragma("page_size"))

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """All of what is executed in the block is kept, or none of it."""
        self.connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            # SQLite has rolled back by itself where there was no room.
            if self.connection.in_transaction:
                self.connection.execute("ROLLBACK")
            raise
        self.connection.execute("COMMIT")

    def _pragma(self, name: str) -> Any:
        return self.connection.execute(f"PRAGMA {name}").fetchone()[0]


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
