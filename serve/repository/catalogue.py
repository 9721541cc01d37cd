"""What is served now: every call finds its model here."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import NamedTuple

from ..errors import DrainingError, InvalidArgumentError, LoadingError, NotFoundError
from .deployed import Deployed
from .key import Key, later


class State(StrEnum):
    """Of a version, as Triton names it."""

    READY = "READY"
    LOADING = "LOADING"
    UNLOADING = "UNLOADING"
    UNAVAILABLE = "UNAVAILABLE"


class Entry(NamedTuple):
    """What is known of a version that is served, was, or should be."""

    key: Key
    state: State
    reason: str = ""
    """Why it isn't served."""


class Catalogue:
    """Versions by name; only looks up, and never waits."""

    def __init__(self, deployed: Iterable[Deployed] = ()) -> None:
        self.ready = True
        """What the readiness calls report."""
        self.accepting = True
        """Whether new calls are taken."""
        self._deployed: dict[Key, Deployed] = {}
        self._latest: dict[str, Key] = {}
        self._entries: dict[Key, Entry] = {}
        for one in deployed:
            self.put(one)

    @property
    def deployed(self) -> Mapping[Key, Deployed]:
        """What answers calls."""
        return self._deployed

    @property
    def names(self) -> list[str]:
        """Of the models that answer calls."""
        return sorted(self._latest)

    def put(self, deployed: Deployed) -> Deployed | None:
        """Send the next call for the version there; returns what it went to until now."""
        old = self._deployed.get(deployed.key)
        self._deployed[deployed.key] = deployed
        self._find_latest(deployed.key.name)
        self.tell(deployed.key, State.READY)
        return old

    def take_out(self, key: Key) -> Deployed:
        """Send no more calls there."""
        self.tell(key, State.UNLOADING)
        taken = self._deployed.pop(key)
        self._find_latest(key.name)
        return taken

    def tell(self, key: Key, state: State, reason: str = "") -> None:
        """Let the index say so of a version."""
        self._entries[key] = Entry(key, state, reason)

    def forget(self, key: Key) -> None:
        """Leave a version out of the index."""
        self._entries.pop(key, None)

    def index(self) -> list[Entry]:
        """Every version that is known, by name and rising version."""
        return sorted(self._entries.values(), key=lambda entry: (entry.key.name, later(entry.key.version)))

    def find(self, name: str, version: str = "") -> Deployed:
        """Where a call goes: the version that is asked for, or else the latest; without a name, the only
        model.

        Raises ``NotFoundError``; ``LoadingError`` while a version is being loaded; ``InvalidArgumentError``
        where a name is missing; ``DrainingError`` once the server shuts down.
        """
        if not self.accepting:
            raise DrainingError("the server is shutting down; ask another one")
        return self._deployed[self.resolve(name, version)]

    def resolve(self, name: str, version: str = "") -> Key:
        """The version that a call for these would go to; raises as ``find`` does."""
        key = Key(name or self._require_only_name(), version)
        if key in self._deployed:
            return key
        if not version and key.name in self._latest:
            return self._latest[key.name]
        raise self._missing(key)

    def has(self, name: str, version: str = "") -> bool:
        """Whether a call for these would be answered."""
        return Key(name, version) in self._deployed or (not version and name in self._latest)

    def matching(self, name: str, version: str = "") -> list[Deployed]:
        """Every version that is served, of a model or of all; ``NotFoundError`` if there is none."""
        found = [
            deployed
            for key, deployed in sorted(self._deployed.items())
            if name in ("", key.name) and version in ("", key.version)
        ]
        if name and not found:
            raise self._missing(Key(name, version))
        return found

    @property
    def only_name(self) -> str | None:
        """Of the model that is served, if it is one."""
        return next(iter(self._latest)) if len(self._latest) == 1 else None

    def _require_only_name(self) -> str:
        if self.only_name is not None:
            return self.only_name
        known = ", ".join(self.names)
        raise InvalidArgumentError(f"no model is named; ask for one of: {known}" if known else NOTHING)

    def versions(self, name: str) -> list[str]:
        """Of a model, those that answer calls, the latest last."""
        return sorted((key.version for key in self._deployed if key.name == name), key=later)

    def _find_latest(self, name: str) -> None:
        if versions := self.versions(name):
            self._latest[name] = Key(name, versions[-1])
        else:
            self._latest.pop(name, None)

    def _missing(self, key: Key) -> NotFoundError | LoadingError:
        entry = self._entries.get(key) or next(
            (entry for entry in self.index() if entry.key.name == key.name and not key.version), None
        )
        if entry and entry.state is State.LOADING:
            return LoadingError(f"model {entry.key} is being loaded; ask again soon")
        if entry and entry.reason:
            return NotFoundError(f"model {entry.key} is not served: {entry.reason}")
        if versions := self.versions(key.name):
            known = ", ".join(map(repr, versions))
            return NotFoundError(f"model {key.name!r} has no version {key.version!r} here; ask for {known}")
        known = ", ".join(map(repr, self.names))
        fix = f"ask for {known}" if known else NOTHING
        return NotFoundError(f"model {key.name!r} is not served here; {fix}")


NOTHING = "nothing is served here yet"
