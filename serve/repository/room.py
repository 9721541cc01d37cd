"""Which models make room for another one: decided here, done in ``controller``."""

from collections.abc import Iterable
from typing import NamedTuple

from .key import Key


class Tenant(NamedTuple):
    """A model in memory."""

    key: Key
    bytes: int
    used: float
    """When it was last asked."""


def make_room(tenants: Iterable[Tenant], needed: int, bound: int) -> list[Key] | None:
    """The tenants that have to go so that ``needed`` bytes more stay within ``bound``, the least recently
    used first; ``None`` if that would not do even without any.
    """
    if needed > bound:
        return None
    staying = sorted(tenants, key=lambda tenant: tenant.used)
    held = sum(tenant.bytes for tenant in staying)
    gone = []
    for tenant in staying:
        if held + needed <= bound:
            break
        held -= tenant.bytes
        gone.append(tenant.key)
    return gone
