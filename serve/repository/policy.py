"""Which of the versions that there are shall be served: decided here, done in ``controller``."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Self

from .key import Key, later

Found = Mapping[Key, str]
"""Versions with the fingerprint of each: another one means that the bundle has changed."""


@dataclass(frozen=True)
class VersionPolicy:
    """The versions of a model that shall be served: the latest so many, all, or the listed ones."""

    latest: int | None = None
    listed: frozenset[str] | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``latest:2``, ``all``, or ``listed:3,5``; ``ValueError`` if it is none of them."""
        kind, _, rest = text.partition(":")
        if kind == "all" and not rest:
            return cls()
        if kind == "latest" and rest.isdecimal() and int(rest):
            return cls(latest=int(rest))
        names = frozenset(name.strip() for name in rest.split(","))
        if kind == "listed" and all(names):
            return cls(listed=names)
        raise ValueError("write latest:1, all, or listed:3,5")

    def choose(self, found: Collection[Key], kept: Collection[Key] = ()) -> set[Key]:
        """Those to serve of all that there are, of every name; ``kept`` are served whatever it says."""
        chosen = {key for key in found if key in kept}
        for name in {key.name for key in found}:
            versions = sorted(
                (key for key in found if key.name == name), key=lambda key: later(key.version)
            )
            if self.listed is not None:
                chosen |= {key for key in versions if key.version in self.listed}
            else:
                chosen |= set(versions[-self.latest :] if self.latest else versions)
        return chosen


@dataclass(frozen=True)
class Plan:
    """What has to change, in this order: a name is never without a version that could have one."""

    load: list[Key]
    unload: list[Key]


def plan(wanted: Found, loaded: Found, failed: Found) -> Plan:
    """How to come from what is ``loaded`` to what is ``wanted``.

    One whose bundle has changed is loaded again, and one that ``failed`` only if it has changed since.
    A version that isn't wanted any more stays while none of its name is loaded or can be.
    """
    load = [key for key, mark in wanted.items() if mark not in (loaded.get(key), failed.get(key))]
    broken = {key for key, mark in wanted.items() if failed.get(key) == mark}
    served = {key.name for key in wanted if key not in broken}
    gone = [key for key in loaded if key not in wanted]
    names = {key.name for key in wanted}
    return Plan(
        sorted(load, key=lambda key: (key.name, later(key.version))),
        [key for key in gone if key.name in served or key.name not in names],
    )
