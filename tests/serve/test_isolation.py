"""Callers side by side: over real gRPC, with an engine that waits until the test lets it go on."""

import asyncio
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from model_control import Unchanged
from strop.errors import InputError
from strop.export.bundle import Bundle, Encoded, Session, TextEncoder
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc
from strop.serve.config import ServeConfig
from strop.serve.core import IntArray
from strop.serve.doors.doors import Doors
from strop.serve.engines.instances import Instances
from strop.serve.engines.onnx import OnnxEngine
from strop.serve.inference.model import Model
from strop.serve.observe.metrics import Metrics
from strop.serve.process.models import Models
from strop.serve.process.server import Server
from strop.serve.repository.catalogue import Catalogue
from strop.serve.repository.deployed import deploy
from strop.serve.repository.finder import Finder
from strop.serve.wire.calls import Calls
from strop.tasks import Outputs

POISON = 5
"""The token id of "bad": a batch that holds it fails."""


class GatedEngine:
    """The tiny graph's answers, one batch for each time that the test opens the gate."""

    def __init__(self, inner: OnnxEngine) -> None:
        self.batches: list[list[int]] = []
        """Lengths of the texts of every batch that reached the engine."""
        self.layout = inner.layout
        self.width = inner.width
        self.provider = "fake"
        self._inner = inner
        self._gate = threading.Semaphore(0)

    def run(self, sequences: Sequence[IntArray]) -> Outputs:
        self.batches.append([len(sequence) for sequence in sequences])
        assert self._gate.acquire(timeout=60)
        if any(POISON in sequence for sequence in sequences):
            raise RuntimeError("a secret of the engine")
        return self._inner.run(sequences)

    def close(self) -> None:
        self._inner.close()

    def open(self, batches: int = 10**6) -> None:
        self._gate.release(batches)


class CursedEncoder:
    """The tiny tokenizer, save that it chokes on one word."""

    def __init__(self, inner: TextEncoder) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        if "cursed" in texts:
            raise RuntimeError("a secret of the tokenizer")
        return self._inner.encode(texts)


@dataclass
class Place:
    """A server in this process, as its callers and its operator see it."""

    config: ServeConfig
    address: str
    models: Models
    engine: GatedEngine
    metrics: Metrics
    strop: Any

    def ask(self, *texts: str, timeout: float = 60) -> Any:
        return self.strop.Classify(pb.ClassifyRequest(texts=texts), timeout=timeout)

    def value(self, name: str, **labels: str) -> float | None:
        of = {"model": "tiny", "version": "3"} if name.startswith("strop_queue") else {}
        return self.metrics.registry.get_sample_value(name, of | labels)

    async def until(self, condition: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not condition():
                await asyncio.sleep(0.002)

    async def until_waiting(self, texts: int) -> None:
        # Tokens are counted once a text is tokenised: then it is really in the queue.
        await self.until(lambda: self.value("strop_queue_texts") == texts)
        await self.until(lambda: self.value("strop_queue_tokens") == 8 * texts)

    async def plug(self) -> Any:
        """Let one call reach the engine, so that whatever comes next has to wait."""
        call = self.ask("a a a a a")
        await self.until(lambda: len(self.engine.batches) == 1)
        return call


@asynccontextmanager
async def place(root: Path, **options: Any) -> AsyncIterator[Place]:
    config = ServeConfig(root, address="127.0.0.1:0", **options)
    bundle = Bundle.open(root)
    layout = bundle.variant().layout.padded()  # every short text takes 8 tokens
    session, encoder = Session(bundle.model_file(bundle.variant())), bundle.text_encoder()
    engine = GatedEngine(OnnxEngine(session, layout, bundle.task))
    named = ("tiny", "3", "fp32", bundle.task, bundle.manifest.labels)
    instances, measured, tokens = Instances([engine]), [(8, 0.008)], config.tokens_of_a_batch(384)
    model = Model(*named, False, CursedEncoder(encoder), instances, measured, batch_tokens=tokens)
    metrics = Metrics()
    deployed = deploy(model, config, metrics.of(model.name, model.version))
    catalogue = Catalogue([deployed])
    models = Models(catalogue, Finder(catalogue, Unchanged()), Unchanged(), Calls(metrics))
    server = Server(models, config, Doors())
    address = (await server.start()).calls
    async with grpc.aio.insecure_channel(address) as channel:
        try:
            stub = pb_grpc.StropStub(channel)
            yield Place(config, address, models, engine, metrics, stub)
        finally:
            engine.open()
            await server.drain()
            await deployed.retire()


Scenario = Callable[[Place], Coroutine[Any, Any, None]]
Play = Callable[..., None]


@pytest.fixture
def play(tiny_bundle: Path) -> Play:
    """Runs a scenario against a server of its own."""

    def run(scenario: Scenario, **options: Any) -> None:
        async def main() -> None:
            async with place(tiny_bundle, **options) as here:
                await scenario(here)

        asyncio.run(main())

    return run


async def status(call: Awaitable[Any]) -> tuple[grpc.StatusCode, str]:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code(), caught.value.details() or ""


def test_a_full_queue_refuses_at_once_with_a_hint_and_serves_those_it_took(play: Play) -> None:
    async def scenario(here: Place) -> None:
        plug = await here.plug()
        waiting = asyncio.gather(here.ask("good"), here.ask("a"))
        await here.until_waiting(2)
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await here.ask("film")
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "2 texts wait, 2 of this connection; the queue holds 4" in caught.value.details()
        assert ("grpc-retry-pushback-ms", "16") in list(caught.value.trailing_metadata())
        assert here.value("strop_shed_total", reason="queue_full") == 1
        here.engine.open()
        await plug
        assert len(await waiting) == 2

    play(scenario, queue_texts=4)


def test_the_queue_is_bounded_by_tokens_too(play: Play) -> None:
    async def scenario(here: Place) -> None:
        await here.plug()
        first = here.ask("good", "a")
        await here.until_waiting(2)
        code, details = await status(here.ask("film"))
        assert code == grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "16 tokens wait, 16 of this connection; the queue holds 32" in details
        assert here.value("strop_queue_texts") == 2
        here.engine.open()
        await first

    play(scenario, queue_tokens=32, batch_tokens=16)


def test_a_call_whose_deadline_passes_in_the_queue_is_never_computed(play: Play) -> None:
    async def scenario(here: Place) -> None:
        plug = await here.plug()
        alive = here.ask("a")
        await here.until_waiting(1)
        late = here.ask("good film", timeout=2)
        await here.until_waiting(2)
        assert (await status(late))[0] == grpc.StatusCode.DEADLINE_EXCEEDED
        await here.until(lambda: here.value("strop_queue_texts") == 1)
        assert here.value("strop_shed_total", reason="deadline") == 1
        here.engine.open()
        await plug
        assert (await alive).results
        assert here.engine.batches == [[7], [3]]

    play(scenario)


def test_a_cancelled_caller_is_never_computed_and_holds_nobody_up(play: Play) -> None:
    async def scenario(here: Place) -> None:
        plug = await here.plug()
        mates = asyncio.gather(here.ask("good"), here.ask("a"))
        gone = here.ask("good film")
        await here.until_waiting(3)
        gone.cancel()
        await here.until_waiting(2)
        assert here.value("strop_shed_total", reason="cancelled") == 1
        here.engine.open()
        await plug
        assert len(await mates) == 2
        assert here.engine.batches == [[7], [3, 3]]

    play(scenario)


def test_a_caller_cancelled_in_mid_batch_leaves_its_mates_their_answers(play: Play) -> None:
    async def scenario(here: Place) -> None:
        plug = await here.plug()
        gone = here.ask("good")
        await here.until_waiting(1)
        mate = here.ask("very very")
        await here.until_waiting(2)
        here.engine.open(1)
        await plug
        await here.until(lambda: here.engine.batches == [[7], [3, 4]])
        gone.cancel()
        await here.until(lambda: here.value("strop_in_flight_requests") == 1)
        here.engine.open()
        beside = await mate
        assert beside.results == (await here.ask("very very")).results

    play(scenario)


def test_a_batch_that_fails_fails_only_for_the_caller_who_made_it_fail(play: Play) -> None:
    async def scenario(here: Place) -> None:
        plug = await here.plug()
        first, culprit, last = here.ask("good"), here.ask("bad"), here.ask("a", "film")
        await here.until_waiting(4)
        here.engine.open()
        await plug
        assert await status(culprit) == (
            grpc.StatusCode.INTERNAL,
            "the model failed on this call's texts",
        )
        assert (await first).results == (await here.ask("good")).results
        assert (await last).results == (await here.ask("a", "film")).results

    play(scenario)


def test_many_texts_are_spread_over_batches_and_answered_in_order(play: Play) -> None:
    async def scenario(here: Place) -> None:
        here.engine.open()
        texts = ["good", "a film", "very", "not good film", "film", "a", "very very good"]
        together = await here.ask(*texts)
        assert here.engine.batches == [[3, 4], [3, 5], [3, 3], [5]]
        alone = [(await here.ask(text)).results[0] for text in texts]
        assert list(together.results) == alone

    play(scenario, batch_tokens=16)


def test_a_draining_server_refuses_new_calls_and_answers_the_old(play: Play) -> None:
    async def scenario(here: Place) -> None:
        plug = await here.plug()
        here.models.catalogue.accepting = False
        assert (await status(here.ask("good")))[0] == grpc.StatusCode.UNAVAILABLE
        assert here.value("strop_shed_total", reason="draining") == 1
        here.engine.open()
        assert (await plug).results

    play(scenario)


def test_what_nobody_foresaw_is_internal_and_leaks_nothing(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(here: Place) -> None:
        here.engine.open()
        bad, good = here.ask("good", "cursed"), here.ask("good")
        code, details = await status(bad)
        assert code == grpc.StatusCode.INTERNAL
        assert details == "internal error; the server's log has the cause"
        assert (await good).results
        assert here.value("strop_queue_texts") == 0

    play(scenario)
    (record,) = [record for record in caplog.records if record.name == "strop.serve.wire.calls"]
    assert record.exc_info is not None


def test_a_port_taken_between_check_and_start_is_still_an_input_error(play: Play) -> None:
    async def scenario(here: Place) -> None:
        config = replace(here.config, address=here.address)
        late = Server(here.models, config, Doors())
        with pytest.raises(InputError, match=f"--address {here.address}: .*choose another port"):
            await late.start()

    play(scenario)
