"""A call as the doors see it: whose it is, and what becomes known of it."""

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass

from grpc.aio import ServicerContext as Context

from strop.export.bundle import Text

from .keys import ANYBODY, Key


@dataclass(slots=True)
class Visit:
    """One call, or one message of a stream."""

    key: Key
    model: str = ""
    version: str = ""
    """The version that answered."""
    texts: Sequence[Text] = ()
    inputs: int = 0
    """How many texts it asked about, whether it sent texts or tokens."""
    tokens: int = 0


visit: ContextVar[Visit] = ContextVar("visit", default=Visit(ANYBODY))  # noqa: B039 - only ever replaced
"""That of the running task: every call, and every message of a stream, has one."""


def client_of(context: Context) -> str:
    """Whose share of the engines a call takes: its key's or, without one, its connection's."""
    return visit.get().key.id or str(context.peer())
