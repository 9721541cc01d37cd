"""A client of an HTTP endpoint: connections that are kept, JSON out, status and JSON back."""

import asyncio
from typing import Self

import aiohttp

from strop.errors import StropError

from .client import CONNECT_SECONDS, Caller, Outcome

DETAIL_CHARACTERS = 200
"""Of what a server says of a failure: some send a page."""


class HttpClient(Caller):
    """Posts JSON to one server, over at most as many connections as calls are in flight."""

    wrong_input = ("HTTP 400", "HTTP 404", "HTTP 405", "HTTP 413", "HTTP 415", "HTTP 422")

    def __init__(self, address: str, *, deadline: float = 10.0) -> None:
        """``address``: host:port, or a URL up to there. ``deadline``: seconds that each call may take."""
        super().__init__(address)
        self._base = (address if "://" in address else f"http://{address}").rstrip("/")
        # No limit: calls that waited for a connection would not be the open loop's. HTTP/1.1 has one
        # call a connection at a time, and each is kept for the next call.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=60.0),
            timeout=aiohttp.ClientTimeout(total=deadline),
            # Compressing would be the server's work and ours, which is not what is measured.
            headers={"Content-Type": "application/json", "Accept-Encoding": "identity"},
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
        )

    async def __aenter__(self) -> Self:
        """Ask for the root, whatever it answers; ``StropError`` if nobody listens."""
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                async with self._session.get(self._base) as response:
                    await response.read()
        except BaseException as error:
            await self.close()
            if not isinstance(error, aiohttp.ClientError | TimeoutError | ValueError):
                raise
            raise StropError(
                f"no HTTP server answers at {self.address}; check the address, or start the server"
            ) from error
        return self

    async def close(self) -> None:
        """Close the connections, cancelling calls that are under way."""
        await self._session.close()

    async def call(self, method: str, request: bytes) -> Outcome:
        """Post a request to the path ``method``; never raises for what a server answers."""
        try:
            async with self._session.post(self._base + method, data=request) as response:
                reply = await response.read()
        except TimeoutError:
            return Outcome("DEADLINE_EXCEEDED", detail="no reply in time")
        except aiohttp.ClientError as error:
            return Outcome("UNAVAILABLE", detail=str(error) or type(error).__name__)
        if response.ok:
            return Outcome("OK", reply)
        detail = " ".join(reply.decode(errors="replace").split())[:DETAIL_CHARACTERS]
        return Outcome(f"HTTP {response.status}", detail=detail or str(response.reason))
