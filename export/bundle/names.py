"""Which names a manifest may have for models, variants and files."""

import unicodedata
from collections.abc import Iterable
from pathlib import PurePosixPath

LONGEST = 255


def require_name(what: str, name: str) -> None:
    """Raise ``ValueError`` for a name that is empty, endless or would do something to a terminal."""
    if not 0 < len(name) <= LONGEST:
        raise ValueError(f"{what} has {len(name)} characters and should have 1 to {LONGEST}")
    if control := [one for one in name if unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp")]:
        raise ValueError(f"{what} is {name!r} and should be without {control[0]!r}")


def require_distinct(what: str, names: Iterable[str]) -> None:
    """Raise ``ValueError`` when one of them stands there twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise ValueError(f"{what} has {name!r} twice")
        seen.add(name)


def require_inside(what: str, path: str) -> None:
    """Raise ``ValueError`` unless a path stays in the folder that it is relative to."""
    parts = PurePosixPath(path)
    if not parts.parts or parts.is_absolute() or ".." in parts.parts:
        raise ValueError(f"{what} {path!r} lies outside the bundle")
    if "\0" in path or "\\" in path or str(parts) != path:
        raise ValueError(f"{what} {path!r} is no plain path such as variants/fp32/model.onnx")
