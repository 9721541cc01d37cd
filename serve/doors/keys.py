"""The key file: who may ask, known by a hash of a secret or by a client certificate's name."""

import hashlib
import hmac
import re
import secrets
import tomllib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields
from enum import StrEnum
from pathlib import Path
from typing import Any, Self

from strop.errors import InputError, reason

from .quota import Quota

ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
SECRET_BYTES = 32
# Compared with where an id is unknown, so that this takes as long as a wrong secret.
NOBODY = "0" * 64
QUOTAS = tuple(one.name for one in fields(Quota))


BEARER = "bearer "
SEND = "send it as authorization: Bearer KEY, or as x-api-key"


class Scope(StrEnum):
    """What a key is good for."""

    INFER = "infer"
    """Asking models, and what they are."""
    ADMIN = "admin"
    """Loading and unloading models, their index and statistics."""
    METRICS = "metrics"
    """The metrics page."""


@dataclass(frozen=True)
class Key:
    """Who may ask what."""

    id: str
    scopes: frozenset[Scope] = frozenset(Scope)
    models: frozenset[str] = frozenset()
    """The names that it may ask by; empty for all."""
    quota: Quota = field(default_factory=Quota)
    sha256: str = ""
    """Of its secret, in hexadecimal. A fast hash does: 256 random bits can't be guessed however fast one
    tries, and a slow one, which helps where people choose passwords, would cost every call milliseconds."""
    certificate: str = ""
    """The common name, or a subject alternative name, of client certificates that stand for it."""


ANYBODY = Key("")
"""Whoever asks a server without keys."""


class KeyRing:
    """All keys of a file."""

    def __init__(self, keys: Iterable[Key]) -> None:
        self._keys = {key.id: key for key in keys}
        self._certificates = {key.certificate: key for key in self._keys.values() if key.certificate}

    def get(self, name: str) -> Key | None:
        """The key of this id."""
        return self._keys.get(name)

    def by_secret(self, presented: str) -> Key | None:
        """The key that was presented whole, as ``id.secret``."""
        name, _, secret = presented.partition(".")
        key = self._keys.get(name)
        known = (key.sha256 if key else "") or NOBODY
        return key if hmac.compare_digest(digest(secret), known) else None

    def by_certificate(self, names: Iterable[str]) -> Key | None:
        """The key that a client certificate with one of these names stands for."""
        return next((self._certificates[name] for name in names if name in self._certificates), None)

    @classmethod
    def read(cls, path: Path, *, priced: bool = True) -> Self:
        """Read a key file; ``InputError`` names what is wrong in it.

        ``priced``: whether the server knows what it costs, which a quota of dollars needs.
        """
        try:
            tables = tomllib.loads(path.read_text(encoding="utf-8")).get("keys", {})
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise InputError(
                f"--keys {path} can't be read: {reason(error)}; mend it, or let strop keys new make one"
            ) from error
        if not isinstance(tables, dict):
            raise InputError(f"--keys {path}: keys is not a table; write [keys.ID] for each")
        try:
            keys = [_key(name, table) for name, table in tables.items()]
            _require_one_each(keys)
        except ValueError as error:
            raise InputError(f"--keys {path}: {error}") from error
        if not priced and (spender := next((key for key in keys if key.quota.dollars_per_day), None)):
            raise InputError(
                f"--keys {path}: key {spender.id} has dollars_per_day; give --dollars-per-hour, too"
            )
        return cls(keys)


def digest(secret: str) -> str:
    """What is kept of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def new_secret() -> str:
    """256 random bits, in letters that need no quotes."""
    return secrets.token_urlsafe(SECRET_BYTES)


def require_id(name: str) -> None:
    """``ValueError`` for what can't be an id: it stands in headers, logs and before a key's dot."""
    if not ID.fullmatch(name):
        raise ValueError(f"the id {name!r} has something else than letters, digits, - and _ (at most 64)")


def scopes_of(names: Collection[str]) -> frozenset[Scope]:
    """``ValueError`` for none, or one that isn't a scope."""
    if not names or (wrong := set(names) - set(Scope)):
        said = ", ".join(map(repr, sorted(wrong))) if names else "none"
        raise ValueError(f"the scopes are {said}; give some of {', '.join(Scope)}")
    return frozenset(map(Scope, names))


def _key(name: str, table: Any) -> Key:
    require_id(name)
    if not isinstance(table, dict):
        raise ValueError(f"{name} is not a table; write [keys.{name}]")
    if unknown := set(table) - {"sha256", "certificate", "scopes", "models", *QUOTAS}:
        raise ValueError(f"key {name} has {', '.join(sorted(unknown))}, which mean nothing here")
    sha256, certificate = (_word(name, table, field) for field in ("sha256", "certificate"))
    if not (sha256 or certificate):
        raise ValueError(f"key {name} has neither sha256 nor certificate; give one")
    if sha256 and not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(
            f"the sha256 of key {name} is not 64 hexadecimal digits; make one by strop keys new"
        )
    try:
        scopes = scopes_of(_words(name, table, "scopes"))
    except ValueError as error:
        raise ValueError(f"key {name}: {error}") from error
    models = frozenset(_words(name, table, "models"))
    return Key(name, scopes, models, Quota(**_amounts(name, table)), sha256, certificate)


def _word(name: str, table: Mapping[str, Any], entry: str) -> str:
    value = table.get(entry, "")
    if not isinstance(value, str):
        raise ValueError(f"{entry} of key {name} is {value!r}; give a text")
    return value


def _words(name: str, table: Mapping[str, Any], entry: str) -> list[str]:
    value = table.get(entry, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError(f'{entry} of key {name} is {value!r}; give a list such as ["one"]')
    return value


def _amounts(name: str, table: Mapping[str, Any]) -> dict[str, Any]:
    found = {entry: table[entry] for entry in QUOTAS if entry in table}
    for entry, value in found.items():
        whole = entry == "concurrent"
        # A bool is an int to Python.
        if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
            raise ValueError(f"{entry} of key {name} is {value!r}; give a{' whole' * whole} number")
        if not 0 < value < float("inf"):
            raise ValueError(f"{entry} of key {name} is {value}; it must be above 0")
    return found


def _require_one_each(keys: Iterable[Key]) -> None:
    owners: dict[str, str] = {}
    for key in keys:
        if key.certificate and (other := owners.setdefault(key.certificate, key.id)) != key.id:
            raise ValueError(f"keys {other} and {key.id} have the same certificate; give each its own")


def presented_key(metadata: Iterable[tuple[str, str | bytes]]) -> str:
    """The API key in a call's metadata, or HTTP headers in lower case; empty if there is none."""
    for name, value in metadata:
        if name == "x-api-key":
            return str(value)
        if name == "authorization" and str(value).lower().startswith(BEARER):
            return str(value)[len(BEARER) :].strip()
    return ""
