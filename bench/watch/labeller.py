"""Asks a served model for labels, and again when its server was away."""

import asyncio
from collections.abc import Sequence

from strop.access import OPEN, AccessOptions
from strop.errors import InputError, StropError

from ..client import Client
from ..discovery import discover
from ..protocols import TypedWire, read_reply
from .config import Endpoint
from .notices import tell

AGAIN = ("UNAVAILABLE", "RESOURCE_EXHAUSTED", "DEADLINE_EXCEEDED", "CANCELLED")
"""What may be otherwise the next time."""
FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 10.0

Scored = tuple[str, float]
"""A label and its probability."""


class Labeller:
    """One model; use it in an ``async with``."""

    def __init__(self, endpoint: Endpoint, timeout: float, access: AccessOptions = OPEN) -> None:
        self._endpoint = endpoint
        self._timeout = timeout
        self._access = access
        self._client = self._new_client()
        self._wire: TypedWire

    async def __aenter__(self) -> "Labeller":
        """Connect; ``StropError`` if nobody listens, ``InputError`` for a model that gives no labels."""
        await self._client.__aenter__()
        served = await discover(self._client, self._endpoint.model, None)
        if served.task.call != "Classify" or not served.task.one_choice or len(served.inputs) > 1:
            raise InputError(
                f"{served.name!r} at {self._endpoint.address} is for {served.task.name}; watch with a model"
                " that gives a text one label"
            )
        self._wire = TypedWire(served)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._client.close()

    async def label(self, texts: Sequence[str]) -> list[Scored]:
        """The best label of each text, however long the server is away.

        Raises as ``Client.require`` for what asking again would not change.
        """
        request = self._wire.encode([(text,) for text in texts], 1)
        # Nobody waits for a single text: who does goes first.
        request = self._wire.with_priority(request, "bulk")
        pause = 0.0
        while True:
            outcome = await self._client.call(self._wire.method, request)
            if outcome.status not in AGAIN:
                reply = read_reply(self._wire, self._client.require(outcome), len(texts))
                return [result[0] for result in reply.results]
            if not pause:
                tell(f"{self._endpoint.address}: {outcome.detail or outcome.status}; asking again")
            pause = min(max(2 * pause, FIRST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)
            await asyncio.sleep(pause)
            if outcome.status == "UNAVAILABLE":
                await self._connect_again()

    async def _connect_again(self) -> None:
        # A connection of its own accord would wait longer each time, up to two minutes.
        client = self._new_client()
        try:
            await client.__aenter__()
        except StropError:
            return
        old, self._client = self._client, client
        await old.close()

    def _new_client(self) -> Client:
        return Client(self._endpoint.address, deadline=self._timeout, access=self._access)
