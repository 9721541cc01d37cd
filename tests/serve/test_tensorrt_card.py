"""A TensorRT card's memory, graphs and errors, as far as they go without a GPU: CUDA is made up."""

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from strop.errors import StropError
from strop.export.tensorrt import EngineCache, EngineKey, find

runtime = pytest.importorskip("cuda.bindings.runtime")

from strop.serve.engines.card import TensorRTCard  # noqa: E402 - only where CUDA's package is
from strop.serve.engines.loaded import LoadedEngine  # noqa: E402


class MadeUpLoaded:
    """An engine whose contexts take everything, and write down when they are told to compute."""

    activation_bytes = 256

    def __init__(self, *, captures: bool, cuda: "MadeUpCuda | None" = None) -> None:
        self.captures, self.cuda = captures, cuda

    def context(self) -> "MadeUpLoaded":
        return self

    def set_device_memory(self, address: int, size: int) -> None:
        assert self.cuda is not None
        assert (address, size) == (self.cuda.taken[1][1], 256)

    def execute_async_v3(self, stream: int) -> bool:
        assert self.cuda is not None
        self.cuda.called.append("execute")
        return True

    def __getattr__(self, name: str) -> Callable[..., bool]:
        return lambda *arguments: True


class MadeUpCuda:
    """CUDA's runtime on a machine without one: it gives out numbers, and fails by request."""

    GIVES = ("cudaStreamCreateWithFlags", "cudaMalloc", "cudaMallocHost", "cudaGraphInstantiate")
    TAKES = ("cudaStreamDestroy", "cudaFree", "cudaFreeHost", "cudaGraphExecDestroy")

    def __init__(self, failing: str = "") -> None:
        self.called: list[str] = []
        self.taken: list[tuple[str, int]] = []
        self.given_back: list[tuple[str, int]] = []
        self._failing = failing

    def __getattr__(self, name: str) -> object:
        real = getattr(runtime, name)
        return real if isinstance(real, type | int) else partial(self._call, name, runtime.cudaError_t)

    def _call(self, name: str, status: type, *arguments: int) -> tuple[object, ...]:
        self.called.append(name)
        if name == self._failing:
            return status.cudaErrorMemoryAllocation, None
        if name in self.GIVES:
            self.taken.append((self.TAKES[self.GIVES.index(name)], len(self.taken) + 1))
            return status.cudaSuccess, len(self.taken)
        if name in self.TAKES:
            self.given_back.append((name, int(arguments[0])))
        return status.cudaSuccess, 0


SHAPE = {"input_ids": (2, 16)}


def test_each_shape_is_captured_once_and_replayed(caplog: pytest.LogCaptureFixture):
    cuda = MadeUpCuda()
    card = TensorRTCard(MadeUpLoaded(captures=False, cuda=cuda), cuda)
    for shape in (SHAPE, SHAPE, {"input_ids": (4, 16)}):
        card.execute(0, shape, {"input_ids": card.allocate(8)})
    first = ["execute", "cudaStreamBeginCapture", "execute", "cudaStreamEndCapture"]
    whole = [*first, "cudaGraphInstantiate", "cudaGraphDestroy", "cudaGraphLaunch"]
    computed = [name for name in cuda.called if name not in ("cudaMalloc", "cudaStreamCreateWithFlags")]
    assert computed == [*whole, "cudaGraphLaunch", *whole]
    card.close()
    assert cuda.given_back == cuda.taken[::-1]
    assert not caplog.records


def test_what_captures_by_itself_or_not_at_all_is_computed_without(caplog: pytest.LogCaptureFixture):
    for captures, failing in ((True, ""), (False, "cudaGraphInstantiate")):
        cuda = MadeUpCuda(failing)
        card = TensorRTCard(MadeUpLoaded(captures=captures, cuda=cuda), cuda)
        for shape in (SHAPE, {"input_ids": (4, 16)}, SHAPE):
            card.execute(0, shape, {})
        assert "cudaGraphLaunch" not in cuda.called
        assert cuda.called.count("cudaStreamBeginCapture") == (not captures)
        card.close()
        assert cuda.given_back == cuda.taken[::-1]
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "TensorRT computes without CUDA graphs"
    ]


def test_a_card_that_fails_gives_everything_back():
    cuda = MadeUpCuda("cudaMalloc")
    with pytest.raises(StropError, match="CUDA failed: out of memory"):
        TensorRTCard(MadeUpLoaded(captures=False), cuda)
    assert cuda.given_back == cuda.taken == [("cudaStreamDestroy", 1)]
    cuda = MadeUpCuda("cudaStreamSynchronize")
    card = TensorRTCard(MadeUpLoaded(captures=False), cuda)
    card.allocate_pinned(0)
    with pytest.raises(StropError, match="CUDA failed"):
        card.close()
    assert cuda.given_back == cuda.taken[::-1]


@pytest.mark.skipif(find().library is None or find().card is not None, reason="needs TensorRT, and no GPU")
def test_without_a_driver_opening_an_engine_fails_in_words(tmp_path: Path):
    found = find()
    library = found.require_library()
    key = EngineKey(
        "fp32", "0" * 64, library.module, library.version, library.cuda, "8.9", (), sparse=False
    )
    engine = EngineCache(tmp_path).keep(key, memoryview(b"no engine at all"), "", 1.0)
    with pytest.raises(StropError, match="can't be loaded: "):
        LoadedEngine(engine)
    with pytest.raises(StropError, match=r"CUDA failed: .* \(cudaError"):
        TensorRTCard(MadeUpLoaded(captures=False))
