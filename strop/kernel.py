"""What the kernel tells in files; on an odd box any of them may be missing, empty or forbidden."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class Tree:
    """The files below a root, which is another one in a test."""

    root: Path = Path("/")

    def text(self, path: str) -> str:
        """A file's text, stripped; nothing when it can't be read. The path is relative to the root."""
        try:
            with (self.root / path).open("rb") as file:
                return file.read(MOST_BYTES).decode(errors="replace").strip("\0 \t\n")
        except (OSError, ValueError):
            return ""

    def number(self, path: str) -> int | None:
        """The whole number that a file holds; None when it holds none."""
        return whole(self.text(path))

    def fields(self, path: str) -> dict[str, str]:
        """Values by key of a file of lines like ``key: value``; the first of a key counts."""
        found: dict[str, str] = {}
        for line in self.text(path).splitlines():
            key, _, value = line.partition(":")
            found.setdefault(key.strip(), value.strip())
        return found

    def matching(self, pattern: str) -> Iterator[str]:
        """Paths that match a pattern, in order."""
        try:
            yield from sorted(str(path.relative_to(self.root)) for path in self.root.glob(pattern))
        except OSError:
            return

    def exists(self, path: str) -> bool:
        """Whether there is such a file."""
        try:
            return (self.root / path).exists()
        except OSError:
            return False


BOX = Tree()
"""What the kernel of this machine tells."""


def whole(text: str) -> int | None:
    """The number that a text begins with, as in ``24680 kB``; None when there is none."""
    word = text.split()[0] if text.split() else ""
    return int(word) if word.isascii() and word.isdigit() and len(word) < 20 else None
