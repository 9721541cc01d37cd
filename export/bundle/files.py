"""The files of a bundle against its manifest: missing, changed, outside of it, or listed nowhere."""

import hashlib
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from strop.errors import reason


@dataclass(frozen=True)
class FileEntry:
    """What a file in the bundle must be."""

    sha256: str
    bytes: int


def file_entry(path: Path) -> FileEntry:
    """Size in bytes and sha256 of a file."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return FileEntry(sha256=digest, bytes=path.stat().st_size)


def file_faults(root: Path, files: Mapping[str, FileEntry]) -> Iterator[tuple[str, str]]:
    """The listed files that aren't what they must be, each with what is wrong and the fix."""
    for name, entry in files.items():
        try:
            fault = _fault(root, name, entry)
        except (OSError, RuntimeError) as error:  # a name too long, a loop of links
            fault = f"{name!r} in {root} can't be read: {reason(error)}; copy the bundle again"
        if fault:
            yield name, fault


def unlisted_files(root: Path, listed: Collection[str]) -> Iterator[str]:
    """Paths relative to the bundle, in order, of what lies in it beside the ``listed`` files."""
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        # A link to a folder could hold anything, and its files are not walked through.
        if name not in listed and (path.is_symlink() or not path.is_dir()):
            yield name


def _fault(root: Path, name: str, expected: FileEntry) -> str | None:
    path = root / name
    if not path.resolve().is_relative_to(root.resolve()):
        return f"{name!r} in the manifest of {root} lies outside the bundle; export the run again"
    if not path.is_file():
        return f"{path} is missing from the bundle; copy it again or export the run again"
    # Not read unless it is as long as it should be: it could be endless.
    size = path.stat().st_size
    if size != expected.bytes:
        found, wanted = f"{size} bytes", f"{expected.bytes}"
    elif (sha256 := file_entry(path).sha256) != expected.sha256:
        found, wanted = f"sha256 {sha256[:12]}…", f"{expected.sha256[:12]}…"
    else:
        return None
    return (
        f"{path} is not the file that was exported ({found}; the manifest says {wanted});"
        " copy or export it again"
    )
