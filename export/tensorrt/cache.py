"""Engines kept under all that decides them, written whole or not at all, and trusted by checksum alone."""

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from strop.host import default_cache

from ..bundle import Bundle, Variant
from ..bundle.files import FileEntry, file_entry
from .library import Library
from .profiles import Profile

SCHEMA = "strop.engine/2"
"""Raised when what builds an engine changes: then those that are there no longer count."""


def default_folder() -> Path:
    """Where engines lie unless an option says otherwise."""
    return default_cache() / "engines"


@dataclass(frozen=True)
class EngineKey:
    """All that decides an engine: where any of it differs, another must be built."""

    variant: str
    """The bundle's name of the form; its precision is what the graph says."""
    graph_sha256: str
    library: str
    version: str
    cuda: str
    compute_capability: str
    profiles: tuple[Profile, ...]
    sparse: bool
    """Whether it may skip the zeros of 2:4 sparse weights."""

    @property
    def stem(self) -> str:
        """The name of its files: for a person, and a digest of all of it."""
        digest = hashlib.sha256(json.dumps([SCHEMA, asdict(self)]).encode()).hexdigest()
        return f"{self.variant}-sm{self.compute_capability.replace('.', '')}-{digest[:16]}"

    @classmethod
    def of(
        cls,
        bundle: Bundle,
        variant: Variant,
        library: Library,
        compute_capability: str,
        profiles: tuple[Profile, ...],
    ) -> Self:
        """That of a verified bundle's variant."""
        return cls(
            variant=variant.name,
            graph_sha256=bundle.manifest.files[variant.file].sha256,
            library=library.module,
            version=library.version,
            cuda=library.cuda,
            compute_capability=compute_capability,
            profiles=profiles,
            sparse=bool(variant.sparsity),
        )

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """Read what ``asdict`` wrote."""
        return cls(**{**fields, "profiles": tuple(Profile(**one) for one in fields["profiles"])})


@dataclass(frozen=True)
class CachedEngine:
    """An engine's file and what is written beside it."""

    path: Path
    key: EngineKey
    card: str
    """The name of the card that it was tuned on, or nothing."""
    seconds: float
    """What building it took."""
    entry: FileEntry

    def fault(self) -> str | None:
        """What is wrong with the file, if it isn't the one that was written."""
        if not self.path.is_file():
            return f"{self.path} is missing"
        found = file_entry(self.path)
        if found != self.entry:
            return (
                f"{self.path} is not what was written: {found.bytes} bytes instead of {self.entry.bytes}"
                + ("" if found.bytes != self.entry.bytes else ", with another sha256")
            )
        return None


@dataclass(frozen=True)
class EngineCache:
    """A folder of engines, which several processes may use at the same time."""

    folder: Path

    def find(self, key: EngineKey) -> tuple[CachedEngine | None, str]:
        """The engine of a key, if there is one that is whole, or else the reason why not."""
        try:
            engine = self._read(self.folder / f"{key.stem}.json")
        except FileNotFoundError:
            return None, "none was built yet"
        except (ValueError, KeyError, TypeError) as error:
            return None, f"{self.folder / key.stem}.json can't be read: {error}"
        if engine.key != key:
            return None, f"{engine.path} is of another key"
        if fault := engine.fault():
            return None, fault
        return engine, ""

    def keep(self, key: EngineKey, engine: memoryview, card: str, seconds: float) -> CachedEngine:
        """Write an engine, and last what it is."""
        self.folder.mkdir(parents=True, exist_ok=True)
        path = self.folder / f"{key.stem}.engine"
        write_whole(path, engine)
        kept = CachedEngine(path, key, card, seconds, file_entry(path))
        fields = {"schema": SCHEMA, **asdict(kept), "path": path.name}
        write_whole(path.with_suffix(".json"), json.dumps(fields, indent=2).encode())
        return kept

    def engines(self) -> Iterator[CachedEngine]:
        """Those that say what they are, whole or not, by name."""
        for path in sorted(self.folder.glob("*.json")):
            try:
                yield self._read(path)
            except (ValueError, KeyError, TypeError):
                continue

    def _read(self, path: Path) -> CachedEngine:
        fields = json.loads(path.read_text(encoding="utf-8"))
        if fields.pop("schema") != SCHEMA:
            raise ValueError(f"it is not of schema {SCHEMA}")
        fields["key"] = EngineKey.from_fields(fields["key"])
        fields["entry"] = FileEntry(**fields["entry"])
        return CachedEngine(**{**fields, "path": path.with_suffix(".engine")})


def write_whole(path: Path, content: memoryview | bytes) -> None:
    """Write a file so that whoever sees it sees all of it, even after a power cut."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)
