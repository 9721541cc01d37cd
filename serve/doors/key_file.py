"""A key added to the file of keys."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from strop.errors import InputError
from strop.staging import replaced

from .keys import QUOTAS, KeyRing, digest, new_secret, require_id, scopes_of

if TYPE_CHECKING:
    from .command import NewKeyConfig


def add_key(config: "NewKeyConfig") -> str:
    """Write a key's entry behind those that are there; returns the key, empty for one with a certificate.

    The file is exchanged whole, readable to its owner alone, or stays as it was. ``InputError`` or
    ``ValueError`` for an id that is taken, and for what the server would refuse.
    """
    path = config.file
    require_id(config.id)
    before = ""
    if path.exists():
        if KeyRing.read(path).get(config.id):
            raise InputError(f"--id {config.id} is in {path} already; choose another one, or delete that")
        before = path.read_text(encoding="utf-8")
    secret = "" if config.certificate else new_secret()
    entries: dict[str, object] = (
        {"sha256": digest(secret)} if secret else {"certificate": config.certificate}
    )
    entries["scopes"] = sorted(scopes_of(config.scopes))
    if config.models:
        entries["models"] = list(config.models)
    entries |= {name: value for name in QUOTAS if (value := getattr(config, name)) is not None}
    _exchange(path, f"{before.rstrip()}\n\n{_table(config.id, entries)}".lstrip())
    return f"{config.id}.{secret}" if secret else ""


def _table(name: str, entries: Mapping[str, object]) -> str:
    # JSON's words, numbers and lists of words are TOML's, too.
    lines = [f"{entry} = {json.dumps(value)}" for entry, value in entries.items()]
    return "\n".join([f"[keys.{name}]", *lines]) + "\n"


def _exchange(path: Path, content: str) -> None:
    try:
        with replaced(path) as draft:
            draft.touch(mode=0o600)
            draft.write_text(content, encoding="utf-8")
            KeyRing.read(draft)
    except OSError as error:
        raise InputError(f"{path} can't be written: {error.strerror}; choose another place") from error
