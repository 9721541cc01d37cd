"""TensorRT engines take over from ONNX Runtime's under load; the GPU alone is made up, by ONNX Runtime."""

import asyncio
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import grpc
import numpy as np
import pytest

from model_control import Unchanged
from strop.errors import InputError, StropError
from strop.export.bundle import Buckets, Bundle, Session, bucketed
from strop.export.config import ExportConfig
from strop.export.tensorrt import EngineKey, find, profiles_of
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as typed
from strop.proto import strop_pb2_grpc as typed_grpc
from strop.serve.config import ServeConfig
from strop.serve.doors.doors import Doors
from strop.serve.engines import cuda
from strop.serve.engines.backends import BACKENDS
from strop.serve.engines.engine import Engine, require_golden
from strop.serve.engines.instances import Instances
from strop.serve.engines.memory import Estimate
from strop.serve.engines.opening import open_engines
from strop.serve.engines.preparation import TensorRTPreparation, open_meanwhile
from strop.serve.engines.tensorrt import TensorRTEngine, engines_on
from strop.serve.engines.upgrade import Upgrade
from strop.serve.inference.model import Model
from strop.serve.observe.metrics import Metrics
from strop.serve.process.models import Models
from strop.serve.process.server import listening
from strop.serve.repository.catalogue import Catalogue
from strop.serve.repository.deployed import deploy
from strop.serve.repository.finder import Finder
from strop.serve.wire.calls import Calls

TOKENS = 128
"""Of a batch at most."""
TEXTS = ["good film", "bad", "not a very good film", "", "very very bad"]
DEADLINE_SECONDS = 60.0


class MadeUpCard:
    """Memory by address, and a stream: what is begun happens when it is waited for, in that order."""

    def __init__(self, bundle: Bundle, factor: float) -> None:
        self._session = Session(bundle.model_file(bundle.reference))
        self._profiles = profiles_of(layout_of(bundle).shapes(TOKENS))
        self._factor = factor
        self._begun: list[Callable[[], None]] = []
        self.memory: dict[int, np.ndarray] = {}
        self.closed = False

    def allocate(self, size: int) -> int:
        address = 4096 * (len(self.memory) + 1)
        self.memory[address] = np.full(size, 0xFF, np.uint8)
        return address

    def allocate_pinned(self, size: int) -> np.ndarray:
        return np.zeros(size, np.uint8)

    def upload(self, address: int, source: np.ndarray) -> None:
        def copy() -> None:
            self.memory[address][: source.size] = source

        self._begun.append(copy)

    def download(self, target: np.ndarray, address: int) -> None:
        def copy() -> None:
            target[...] = self.memory[address][: target.size]

        self._begun.append(copy)

    def execute(self, profile: int, shapes: Mapping[str, tuple], addresses: Mapping[str, int]) -> None:
        def compute() -> None:
            feeds = {}
            for name, shape in shapes.items():
                values = self.memory[addresses[name]].view(np.int64)[: np.prod(shape)]
                feeds[name] = values.reshape(shape)
            assert feeds["input_ids"].shape[1] == self._profiles[profile].length
            logits = np.ascontiguousarray(self._session.run(feeds) * np.float32(self._factor))
            self.memory[addresses["logits"]][: logits.nbytes] = logits.view(np.uint8).ravel()

        self._begun.append(compute)

    def wait(self) -> None:
        begun, self._begun = self._begun, []
        for one in begun:
            one()

    def close(self) -> None:
        self.closed = True


def layout_of(bundle: Bundle) -> Buckets:
    return bucketed(bundle.reference.layout, bundle.manifest.max_tokens)


RECTANGLE = dict.fromkeys(("input_ids", "position_ids", "slots", "segment_ids", "places"), (-1, -1))
SHAPES = {**RECTANGLE, "starts": (-1,), "logits": (-1, 3)}


def key_of(bundle: Bundle) -> EngineKey:
    profiles = profiles_of(layout_of(bundle).shapes(TOKENS))
    return EngineKey("fp32", "0" * 64, "tensorrt", "11.0.0", "13", "8.9", profiles, sparse=False)


def engine_on(card: MadeUpCard, bundle: Bundle) -> TensorRTEngine:
    return TensorRTEngine(card, key_of(bundle), SHAPES, layout_of(bundle), bundle.task)


class MadeUpPreparation:
    """Waits until it is told to go on, or stopped; the cards of its engines are made up."""

    name = "TensorRT"
    provider = "tensorrt"

    def __init__(self, bundle: Bundle, factor: float = 1.0, fault: str = "") -> None:
        self.bundle, self.factor, self.fault = bundle, factor, fault
        self.go_on, self.kept, self.stopped = threading.Event(), False, False
        self.cards: list[MadeUpCard] = []

    def prepare(self, progress: Callable[[float], None]) -> str:
        progress(0.25)
        assert self.go_on.wait(DEADLINE_SECONDS)
        if self.stopped:
            raise StropError("the build was stopped")
        if self.fault:
            raise StropError(self.fault)
        return "built"

    def estimate(self, count: int) -> Estimate:
        return Estimate(weights=count * 1e9, batches=0.0, overhead=0.0)

    def open(self, count: int) -> Sequence[Engine]:
        self.cards = [MadeUpCard(self.bundle, self.factor) for _ in range(count)]
        return [engine_on(card, self.bundle) for card in self.cards]

    def keep(self) -> None:
        self.kept = True

    def stop(self) -> None:
        self.stopped = True
        self.go_on.set()


def fits(estimate: Estimate) -> None:
    """There is memory enough."""


class Served:
    """A server in this process whose only model is to be upgraded, and calls to it."""

    def __init__(self, root: Path, preparation: MadeUpPreparation | TensorRTPreparation) -> None:
        self.config = ServeConfig(root, address="127.0.0.1:0", batch_tokens=TOKENS)
        bundle = Bundle.open(root)
        instances = Instances(open_meanwhile(bundle, bundle.reference, self.config, TOKENS))

        def prove(engine: Engine) -> None:
            require_golden(engine, bundle, bundle.reference, TOKENS)

        model = Model.load(root, self.config)
        upgrade = Upgrade(instances, preparation, prove, fits)
        self.model = replace(model, instances=instances, upgrade=upgrade)
        self.metrics = Metrics()
        self.answered = 0
        self.answers: set[bytes] = set()

    @asynccontextmanager
    async def running(self):
        deployed = deploy(self.model, self.config, self.metrics.of("tiny", "3"))
        catalogue, control = Catalogue([deployed]), Unchanged()
        models = Models(catalogue, Finder(catalogue, control), control, Calls(self.metrics))
        async with (
            listening(models, self.config, Doors()) as addresses,
            grpc.aio.insecure_channel(addresses.calls) as channel,
        ):
            self.stub = typed_grpc.StropStub(channel)
            self.protocol = oip_grpc.GRPCInferenceServiceStub(channel)
            yield
        await deployed.retire()

    async def ask(self) -> None:
        """One call; every answer is the same whoever computes it."""
        reply = await self.stub.Classify(typed.ClassifyRequest(texts=TEXTS), timeout=DEADLINE_SECONDS)
        self.answered += 1
        self.answers.add(b"".join(one.SerializeToString() for one in reply.results))

    async def said(self, of: str = "engine_upgrade") -> str:
        """What ModelConfig says of the upgrade, or by another of its parameters."""
        reply = await self.protocol.ModelConfig(oip.ModelConfigRequest(name="tiny"))
        return reply.config.parameters[of].string_value

    def value(self, name: str, **labels: str) -> float | None:
        return self.metrics.registry.get_sample_value(name, {"model": "tiny", "version": "3", **labels})

    def result(self) -> tuple[str, str] | None:
        """What came of the upgrade, and why."""
        samples = (one for family in self.metrics.registry.collect() for one in family.samples)
        found = (one.labels for one in samples if one.name == "strop_engine_builds_total" and one.value)
        return next(((labels["result"], labels["reason"]) for labels in found), None)

    async def until_ended(self) -> None:
        while self.result() is None:
            await asyncio.wait_for(self.ask(), DEADLINE_SECONDS)


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


def test_an_engine_answers_like_onnx_runtime_and_only_what_it_was_built_for(bundle: Bundle):
    card = MadeUpCard(bundle, 1.0)
    engine = engine_on(card, bundle)
    generator = np.random.default_rng(0)
    session, layout = Session(bundle.model_file(bundle.reference)), layout_of(bundle)
    for lengths in ([1], [32], [3, 17, 9], [8] * 7, [2]):
        sequences = [generator.integers(0, 10, length) for length in lengths]
        wanted = bundle.task.activate(session.run(layout.feeds(sequences)))[: len(lengths)]
        np.testing.assert_array_equal(engine.run(sequences), wanted)
    with pytest.raises(StropError, match="not built for 1 rows of 40 tokens, only for 1-8x16, 1-4x32"):
        engine.run([np.zeros(40, np.int64)])
    with pytest.raises(StropError, match="not built for 16 rows"):
        engine.run([np.zeros(8, np.int64)] * 9)
    engine.close()
    assert card.closed


def test_when_an_engine_can_not_be_had_the_ones_before_it_are_closed(bundle: Bundle):
    class Full(MadeUpCard):
        def allocate(self, size: int) -> int:
            if self is cards[1] and len(self.memory) == 3:
                raise StropError("out of memory")
            return super().allocate(size)

    cards = [Full(bundle, 1.0) for _ in range(3)]
    with pytest.raises(StropError, match="out of memory"):
        engines_on(iter(cards).__next__, 3, key_of(bundle), SHAPES, layout_of(bundle), bundle.task)
    assert [card.closed for card in cards] == [True, True, False]


def test_engines_take_over_under_load_without_a_dropped_call(tiny_bundle: Path, bundle: Bundle):
    preparation = MadeUpPreparation(bundle)
    served = Served(tiny_bundle, preparation)

    async def main() -> None:
        async with served.running():
            going = True

            async def call_on_and_on() -> None:
                while going:
                    await served.ask()

            callers = [asyncio.create_task(call_on_and_on()) for _ in range(16)]
            while served.answered < 100:
                await asyncio.sleep(0.001)
            assert await served.said() == "TensorRT is being prepared, 25%"
            assert served.value("strop_engine_build_progress") == 0.25
            assert served.value("strop_model_info", variant="fp32", provider="CPUExecutionProvider") == 1
            preparation.go_on.set()
            await served.until_ended()
            reached = served.answered + 100
            while served.answered < reached:
                await asyncio.sleep(0.001)
            going = False
            await asyncio.gather(*callers)
            assert await served.said() == "TensorRT serves"
            assert not await served.said("not_tensorrt")

    asyncio.run(main())
    assert len(served.answers) == 1
    assert served.result() == ("upgraded", "built")
    assert served.value("strop_engine_build_progress") == 1
    assert served.value("strop_engine_build_seconds_count") == 1
    assert served.value("strop_model_info", variant="fp32", provider="CPUExecutionProvider") == 0
    assert preparation.kept
    assert [card.closed for card in preparation.cards] == [True, True]  # with the model, at the end


@pytest.mark.parametrize(
    ("options", "reason", "status"),
    [
        ({"fault": "no such operator"}, "prepare", "TensorRT does not serve: no such operator"),
        ({"factor": 2.0}, "prove", "TensorRT does not serve: variant 'fp32' on .* is off by"),
    ],
)
def test_what_can_not_be_built_or_answers_otherwise_changes_nothing(
    tiny_bundle: Path, bundle: Bundle, options: dict, reason: str, status: str
):
    preparation = MadeUpPreparation(bundle, **options)
    served = Served(tiny_bundle, preparation)

    async def main() -> tuple[str, str]:
        async with served.running():
            assert served.value("strop_providers_passed_over") == 0
            preparation.go_on.set()
            await served.until_ended()
            await served.ask()
            return await served.said(), await served.said("not_tensorrt")

    said, why = asyncio.run(main())
    assert re.search(status, said)
    assert said == f"TensorRT does not serve: {why}"
    assert served.value("strop_providers_passed_over") == 1
    assert served.result() == ("kept", reason)
    assert len(served.answers) == 1
    assert not preparation.kept
    assert all(card.closed for card in preparation.cards)
    assert served.value("strop_engine_build_progress") == 0.25


def test_a_draining_server_gives_a_build_up_at_once(tiny_bundle: Path, bundle: Bundle):
    preparation = MadeUpPreparation(bundle)
    served = Served(tiny_bundle, preparation)

    async def main() -> None:
        async with served.running():
            await served.ask()
        assert preparation.stopped

    asyncio.run(asyncio.wait_for(main(), DEADLINE_SECONDS))
    assert served.result() == ("kept", "stopped")
    assert served.value("strop_providers_passed_over") == 0


@pytest.mark.skipif(find().card is not None, reason="there is a GPU")
def test_without_a_gpu_what_serves_says_why_it_goes_on(tiny_bundle: Path, bundle: Bundle, tmp_path: Path):
    config = ServeConfig(tiny_bundle, engine_cache=tmp_path)
    preparation = TensorRTPreparation(bundle, bundle.reference, layout_of(bundle), TOKENS, config)
    served = Served(tiny_bundle, preparation)

    async def main() -> str:
        async with served.running():
            await served.until_ended()
            return await served.said()

    assert "TensorRT does not serve: TensorRT is not available, because CUDA finds no GPU" in asyncio.run(
        main()
    )
    assert served.result() == ("kept", "prepare")


@pytest.mark.parametrize(("method", "reason"), [("open", "open"), ("keep", "prove")])
def test_an_upgrade_that_fails_in_an_unforeseen_way_is_one_that_failed(
    bundle: Bundle, method: str, reason: str
):
    def fail(*arguments: int) -> None:
        raise RuntimeError("a library's own error")

    class Heard:
        reason = ""
        done = threading.Event()

        def progressed(self, part: float) -> None:
            pass

        def ended(self, provider: str, reason: str, seconds: float, *, upgraded: bool) -> None:
            self.reason = reason
            self.done.set()

    instances = Instances(open_meanwhile(bundle, bundle.reference, ServeConfig(bundle.root), TOKENS))
    setattr(broken := MadeUpPreparation(bundle), method, fail)
    upgrade, heard = Upgrade(instances, broken, lambda engine: None, fits), Heard()
    broken.go_on.set()
    upgrade.start(heard)
    assert heard.done.wait(DEADLINE_SECONDS)
    upgrade.stop()
    assert heard.reason == reason
    assert upgrade.status == "TensorRT does not serve: a library's own error"
    assert all(card.closed for card in broken.cards)
    assert instances.provider == "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("free", "limit", "said"),
    [
        (1.5e9, 0, "tensorrt beside what serves until then needs about 2,000 MB .* and 1,500 MB are free"),
        (None, 1000, "needs about 2,000 MB .* and 1,000 MB --memory-limit allows"),
    ],
)
def test_engines_without_room_beside_those_that_serve_are_not_opened(
    bundle: Bundle, free: float | None, limit: int, said: str
):
    preparation = MadeUpPreparation(bundle)
    preparation.go_on.set()
    there = BACKENDS["tensorrt"]
    BACKENDS["tensorrt"] = replace(
        there, missing=lambda: None, free=lambda: free, prepare=lambda *about: preparation
    )
    try:
        opened = open_engines(bundle, ServeConfig(bundle.root, provider="tensorrt", memory_limit=limit))
        upgrade = opened.upgrade(instances := Instances(opened.engines))
    finally:
        BACKENDS["tensorrt"] = there
    assert upgrade is not None
    with pytest.raises(InputError, match=said):
        upgrade.require()
    assert not preparation.cards
    assert instances.provider == "CPUExecutionProvider"


def test_engines_are_built_ahead_for_the_batches_that_are_served(bundle: Bundle):
    served = ServeConfig(bundle.root, provider="tensorrt").tokens_of_a_batch(cuda.BATCH_TOKENS)
    assert ExportConfig(Path("run")).engine_tokens == served
