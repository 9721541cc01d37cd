"""Where bundles lie: one bundle, a folder of them, or any place that fsspec reaches."""

import hashlib
import re
import shutil
from pathlib import Path
from typing import Any, Protocol

from strop.errors import InputError, reason
from strop.export.bundle.bounds import MANIFEST_BYTES
from strop.export.bundle.directory import parse_manifest, read_manifest
from strop.export.bundle.manifest import MANIFEST_FILE, SIGNATURE_FILE
from strop.host import default_cache
from strop.staging import staged

from .key import Key

# What a folder of the repository may be called, and hence a model and its version.
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]*")


class Source(Protocol):
    """A place of bundles; its methods block."""

    def versions(self) -> dict[Key, str]:
        """The versions that are there, each with a fingerprint of its manifest.

        ``InputError`` when the place can't be read at all.
        """
        ...

    def fetch(self, key: Key) -> Path:
        """A folder on this machine with the bundle; ``InputError`` when it can't be had."""
        ...


def source_of(place: str) -> Source:
    """The source at a path or URL: a bundle, or else a repository of ``name/version/`` bundles.

    ``InputError`` for a path that may not be looked at.
    """
    if "://" in place:
        return Remote(place, default_cache() / "bundles")
    root = Path(place)
    try:
        one = (root / MANIFEST_FILE).is_file() or not _has_bundles(root)
    except OSError as error:
        raise InputError(f"{root} can't be read: {reason(error)}; give the server the right to") from error
    return OneBundle(root) if one else Folder(root)


class OneBundle:
    """A bundle that is served by the name and version of its manifest."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def versions(self) -> dict[Key, str]:
        """The one."""
        manifest = read_manifest(self._root)
        return {Key(manifest.name, manifest.version): _fingerprint_of(self._root / MANIFEST_FILE)}

    def fetch(self, key: Key) -> Path:
        """Where it is."""
        return self._root


class Folder:
    """Bundles at ``root/name/version``."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def versions(self) -> dict[Key, str]:
        """Every folder two levels down that has a manifest."""
        if not self._root.is_dir():
            raise InputError(f"the model repository {self._root} is not a folder; name one")
        try:
            return {
                Key(path.parent.parent.name, path.parent.name): _fingerprint_of(path)
                for path in sorted(self._root.glob(f"*/*/{MANIFEST_FILE}"))
                if NAME.fullmatch(path.parent.parent.name) and NAME.fullmatch(path.parent.name)
            }
        except OSError as error:
            raise InputError(f"the model repository {self._root} can't be read: {error}") from error

    def fetch(self, key: Key) -> Path:
        """Where it is."""
        return self._root / key.name / key.version


class Remote:
    """Bundles at ``url/name/version``, copied to a cache before they are opened.

    What is copied is what the manifest lists; that its names stay in the bundle's folder is a rule of
    manifests.
    """

    def __init__(self, url: str, cache: Path) -> None:
        self._url = url.rstrip("/")
        try:
            import fsspec
        except ModuleNotFoundError as error:
            raise InputError(f"{url} needs fsspec; pip install 'strop[remote]'") from error
        try:
            self._files: Any
            self._files, self._root = fsspec.core.url_to_fs(self._url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise InputError(f"{url} can't be opened: {error}") from error
        self._cache = cache / hashlib.sha256(self._url.encode()).hexdigest()[:16]

    def versions(self) -> dict[Key, str]:
        """Every folder two levels down that has a manifest."""
        try:
            return {
                Key(name, version): _fingerprint(self._manifest(path))
                for name, above in self._folders(self._root)
                for version, path in self._folders(above)
                if self._files.exists(f"{path}/{MANIFEST_FILE}")
            }
        except OSError as error:
            raise InputError(f"the model repository {self._url} can't be read: {error}") from error

    def fetch(self, key: Key) -> Path:
        """The bundle in the cache, copied if it isn't there; only whole ones are."""
        there = f"{self._root}/{key.name}/{key.version}"
        try:
            manifest = self._manifest(there)
            place = self._cache / key.name / f"{key.version}-{_fingerprint(manifest)[:16]}"
            if not place.exists():
                with staged(place) as stage:
                    self._copy(there, manifest, stage)
        except OSError as error:
            raise InputError(f"{self._url}/{key.name}/{key.version} can't be copied: {error}") from error
        return place

    def _copy(self, there: str, manifest: bytes, stage: Path) -> None:
        (stage / MANIFEST_FILE).write_bytes(manifest)
        if self._files.exists(f"{there}/{SIGNATURE_FILE}"):
            (stage / SIGNATURE_FILE).write_bytes(self._files.cat_file(f"{there}/{SIGNATURE_FILE}"))
        for name, entry in parse_manifest(manifest, f"{there}/{MANIFEST_FILE}").files.items():
            free = shutil.disk_usage(stage).free
            if entry.bytes > free:
                raise InputError(
                    f"{name} of {there} has {entry.bytes} bytes and {free} are free; make room"
                )
            self._require_size(f"{there}/{name}", entry.bytes)
            (stage / name).parent.mkdir(parents=True, exist_ok=True)
            self._files.get_file(f"{there}/{name}", str(stage / name))

    def _manifest(self, there: str) -> bytes:
        path = f"{there}/{MANIFEST_FILE}"
        self._require_size(path, MANIFEST_BYTES)
        manifest: bytes = self._files.cat_file(path)
        return manifest

    def _require_size(self, path: str, most: int) -> None:
        """``InputError`` when the place says of a file that it has more bytes; HTTP may not say it."""
        size = self._files.size(path)
        if size is not None and size > most:
            raise InputError(f"{path} has {size} bytes and should have at most {most}; copy it there again")

    def _folders(self, above: str) -> list[tuple[str, str]]:
        """Folders by name and path; in a listing over HTTP any link may be one."""
        found = []
        for entry in self._files.ls(above, detail=True):
            path = entry["name"].rstrip("/")
            name = path.rpartition("/")[2]
            if NAME.fullmatch(name) and (entry["type"] == "directory" or entry["name"].endswith("/")):
                found.append((name, path))
        return sorted(found)


def _has_bundles(root: Path) -> bool:
    """Whether it looks like a repository: an empty folder is one, too."""
    return root.is_dir() and (any(root.glob(f"*/*/{MANIFEST_FILE}")) or not any(root.iterdir()))


def _fingerprint_of(manifest: Path) -> str:
    # In pieces: nobody has said yet that it may be that large.
    with manifest.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fingerprint(manifest: bytes) -> str:
    return hashlib.sha256(manifest).hexdigest()
