"""Which versions lost their share of the calls, kept in a file for the server that starts again."""

import hashlib
import json
import logging
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

from strop.errors import InputError, reason
from strop.staging import replace_file

from .key import Key
from .routes import Route

log = logging.getLogger(__name__)

SCHEMA = "strop.rollbacks/1"
SUFFIX = ".rolled-back.json"
"""Put behind the name of the file of routes, beside which it lies."""


class Rollback(NamedTuple):
    """Why a version lost its share."""

    case: str
    """See ``case_of``: another case is judged anew."""
    why: str


Known = dict[Key, Rollback]


def case_of(route: Route, ours: str, main: str) -> str:
    """A fingerprint of what a version is judged by: its route, its bundle and the main version's.

    ``ours`` and ``main`` are the fingerprints of their manifests.
    """
    return hashlib.sha256(json.dumps([asdict(route), ours, main], sort_keys=True).encode()).hexdigest()


class Rollbacks:
    """Those that are known; the workers of a server share the file.

    Each reads it again before it writes: they come to the same verdicts, and one that is lost because two
    wrote at the same moment is come to again.
    """

    def __init__(self, routes: Path | None) -> None:
        """Read what was kept beside a file of routes; ``InputError`` for what no server wrote.

        Without routes nothing is kept.
        """
        self._path = routes.with_name(routes.name + SUFFIX) if routes else None
        self._known = self._read()

    def why(self, key: Key, case: str) -> str | None:
        """Why a version has no share, if it lost it in that case."""
        found = self._known.get(key)
        return found.why if found and found.case == case else None

    def add(self, key: Key, rollback: Rollback) -> None:
        """Keep one."""
        self._change(lambda known: known.update({key: rollback}))

    def remove(self, name: str) -> None:
        """Keep none of a model any longer."""

        def forget(known: Known) -> None:
            for key in [key for key in known if key.name == name]:
                del known[key]

        if any(key.name == name for key in self._known):
            self._change(forget)

    def _change(self, change: Callable[[Known], None]) -> None:
        """Change what is known; where it can't be kept, the log says so, and serving goes on."""
        try:
            self._known = self._read()
            change(self._known)
            self._write()
        except (OSError, InputError) as error:
            change(self._known)
            log.warning("at a restart it is forgotten which versions lost their share: %s", reason(error))

    def _read(self) -> Known:
        if self._path is None or not self._path.exists():
            return {}
        try:
            fields = json.loads(self._path.read_text(encoding="utf-8"))
            if fields["schema"] != SCHEMA:
                raise ValueError(f"its schema is {fields['schema']!r}, not {SCHEMA}")
            return {
                Key(str(one["model"]), str(one["version"])): Rollback(str(one["case"]), str(one["why"]))
                for one in fields["rolled_back"]
            }
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(
                f"{self._path} can't be read: {reason(error)}; remove it to have all versions judged anew"
            ) from error

    def _write(self) -> None:
        if self._path is not None:
            rolled_back = [
                {"model": name, "version": version, "case": one.case, "why": one.why}
                for (name, version), one in self._known.items()
            ]
            text = json.dumps({"schema": SCHEMA, "rolled_back": rolled_back}, indent=2, ensure_ascii=False)
            replace_file(self._path, text + "\n")
