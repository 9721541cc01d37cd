"""The soak's load: calls of every kind over connections that come and go, every answer checked."""

import asyncio
import itertools
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from strop.errors import StropError

from ..client import Client, Outcome
from ..columns import Text
from ..load import Samples, open_loop
from ..pacing import poisson
from ..protocols import OpenInferenceWire, TypedWire, Wire, read_reply
from ..served import Served
from ..stream_protocols import StreamWire, TypedStreamWire
from .setting import Setting
from .streams import Streams
from .traffic import CHANNELS, PATIENCE_SECONDS, encode

KINDS = {"unary": 0.5, "several": 0.1, "open": 0.1, "stream": 0.2, "cancelled": 0.05, "malformed": 0.05}
"""Share of the calls of each kind."""
SEVERAL = 4
"""Texts in a call of several."""
TEXTS_PER_CALL = 1 + KINDS["several"] * (SEVERAL - 1)
"""On average."""
CANCEL_SECONDS = 0.05
"""A cancelled call is cancelled at a random moment until then, unless it is answered first."""
RECONNECT_SECONDS = 2.0
EXAMPLES = 3
REFUSALS = ("INVALID_ARGUMENT", "NOT_FOUND")
DONE = Outcome("OK")


class Connection:
    """A channel and a stream, cut together."""

    def __init__(self, address: str, wire: StreamWire) -> None:
        self.client = Client(address, deadline=PATIENCE_SECONDS)
        self.streams = Streams(address, wire)
        self.cut = False

    async def open(self) -> None:
        """Connect."""
        await self.client.__aenter__()
        await self.streams.__aenter__()

    async def close(self) -> None:
        """Cut it, whatever is under way."""
        self.cut = True
        await self.streams.close()
        await self.client.close()


class Soak:
    """Calls of every kind over connections that come and go; counts what became of each."""

    def __init__(
        self, setting: Setting, address: str, expected: Sequence[NDArray[np.float32]], seed: int
    ) -> None:
        """``expected``: probabilities of shape [classes] for each text of the setting."""
        self.counts: Counter[str] = Counter()
        self.examples: list[str] = []
        """The first few answers that should not have been."""
        self.duplicated = 0
        self._address = address
        self._labels = setting.bundle.manifest.labels
        self._expected = expected
        self._chance = np.random.default_rng(seed)
        self._connections: list[Connection] = []
        typed, open_inference = TypedWire(setting.served), OpenInferenceWire(setting.served)
        self._stream_wire = TypedStreamWire(setting.served)
        self._wires: dict[str, Wire] = {
            "unary": typed,
            "several": typed,
            "open": open_inference,
            "stream": self._stream_wire,
        }
        every = 0  # labels of a reply: all of them
        texts = [(text,) for text in setting.texts]
        around = [*texts, *texts[: SEVERAL - 1]]
        self._requests = {
            "unary": [typed.encode([text], every) for text in texts],
            "several": [
                typed.encode(around[start : start + SEVERAL], every) for start in range(len(texts))
            ],
            "open": encode(open_inference, setting.texts),
            "stream": [self._stream_wire.encode([text], every) for text in texts],
        }
        self._malformed = itertools.cycle(_malformed(setting.served, texts[0]))

    async def run(self, rate: float, seconds: float) -> Samples:
        """Open the connections, offer ``rate`` calls a second, close them again."""
        times = poisson(rate, seconds, int(self._chance.integers(2**31)))
        try:
            for _ in range(CHANNELS):
                self._connections.append(Connection(self._address, self._stream_wire))
                await self._connections[-1].open()
            reconnecting = asyncio.create_task(self._reconnect())
            try:
                return await open_loop(self._call, itertools.count(), times, seconds)
            finally:
                reconnecting.cancel()
                await asyncio.wait({reconnecting})
        finally:
            for connection in self._connections:
                await self._close(connection)
            self._connections.clear()

    async def _reconnect(self) -> None:
        while True:
            await asyncio.sleep(RECONNECT_SECONDS * 2 * self._chance.random())
            place = int(self._chance.integers(CHANNELS))
            fresh = Connection(self._address, self._stream_wire)
            await fresh.open()
            old, self._connections[place] = self._connections[place], fresh
            await self._close(old)
            self.counts["reconnects"] += 1

    async def _close(self, connection: Connection) -> None:
        await connection.close()
        self.duplicated += connection.streams.strays

    async def _call(self, number: int) -> Outcome:
        connection = self._connections[number % CHANNELS]
        kind = str(self._chance.choice(list(KINDS), p=list(KINDS.values())))
        text = int(self._chance.integers(len(self._expected)))
        try:
            if kind == "cancelled":
                async with asyncio.timeout(CANCEL_SECONDS * self._chance.random()):
                    self._judge(connection, "unary", text, await self._ask(connection, "unary", text))
            elif kind == "malformed":
                method, request = next(self._malformed)
                self._refusal(connection, await connection.client.call(method, request))
            else:
                self._judge(connection, kind, text, await self._ask(connection, kind, text))
        except TimeoutError:
            self.counts["cancelled"] += 1
        except asyncio.CancelledError:
            # Closing a channel cancels whoever waits for an answer on it.
            if not connection.cut:
                raise
            self.counts["cut off"] += 1
        return DONE

    async def _ask(self, connection: Connection, kind: str, text: int) -> Outcome:
        request = self._requests[kind][text]
        if kind == "stream":
            return await connection.streams.call(request)
        return await connection.client.call(self._wires[kind].method, request)

    def _judge(self, connection: Connection, kind: str, text: int, outcome: Outcome) -> None:
        if outcome.status != "OK":
            self._unanswered(connection, f"{kind}: {outcome.status} {outcome.detail}")
            return
        count = SEVERAL if kind == "several" else 1
        try:
            results = read_reply(self._wires[kind], outcome.reply, count).results
        except StropError as error:
            self._wrong(f"{kind}: {error}")
            return
        for place, result in enumerate(results):
            expected = self._expected[(text + place) % len(self._expected)]
            if is_right(result, self._labels, expected):
                self.counts["right"] += 1
            else:
                self._wrong(f"{kind}: {result} instead of {expected.tolist()}")

    def _refusal(self, connection: Connection, outcome: Outcome) -> None:
        if outcome.status in REFUSALS:
            self.counts["malformed, refused"] += 1
        elif outcome.status == "OK":
            self._wrong("a malformed request was answered")
        else:
            self._unanswered(connection, f"malformed: {outcome.status} {outcome.detail}")

    def _unanswered(self, connection: Connection, what: str) -> None:
        if connection.cut:
            self.counts["cut off"] += 1
        else:
            self.counts["lost"] += 1
            self._remember(what)

    def _wrong(self, what: str) -> None:
        self.counts["wrong"] += 1
        self._remember(what)

    def _remember(self, what: str) -> None:
        if len(self.examples) < EXAMPLES:
            self.examples.append(what)


def is_right(
    result: Sequence[tuple[str, float]], labels: Sequence[str], expected: NDArray[np.float32]
) -> bool:
    """Whether (label, score) pairs are, bit for bit, those of the probabilities ``expected``.

    The best label comes first; its score may stand alone.
    """
    scores = dict(zip(labels, expected.tolist(), strict=True))
    best = labels[int(expected.argmax())]
    complete = len(result) in (1, len(labels)) and len(dict(result)) == len(result)
    return complete and result[0][0] == best and all(scores.get(name) == score for name, score in result)


def _malformed(served: Served, text: Text) -> list[tuple[str, bytes]]:
    """Requests that must be refused, each with its method."""
    unknown = replace(served, name="no-such-model")
    found = [
        (wire.method, wire.encode(texts))
        for api in (TypedWire, OpenInferenceWire)
        for wire, texts in ((api(served), []), (api(unknown), [text]))
    ]
    # A second input, without contents.
    wire = OpenInferenceWire(served)
    return [*found, (wire.method, wire.encode([text]) + wire.encode([text]))]
