"""Which provider serves, and why; what a model takes of its memory; batches in bound buffers."""

import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from strop.errors import InputError, StropError
from strop.export.bundle import Bundle, Session, bucketed
from strop.export.bundle.probe import INSTALL, Probed, Versions, cuda_fault, cuda_missing, missing, probe
from strop.export.bundle.weights import Weights
from strop.export.providers import CUDA, TENSORRT
from strop.nvml import any_gpu
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.serve.config import ServeConfig
from strop.serve.engines.backends import BACKENDS
from strop.serve.engines.bound import BoundSession, Device
from strop.serve.engines.choice import choose
from strop.serve.engines.cuda import provider_options
from strop.serve.engines.engine import require_golden, warm_up
from strop.serve.engines.memory import Estimate, free_on_gpu
from strop.serve.engines.onnx import OnnxEngine
from strop.serve.engines.opening import Opened, open_engines
from strop.serve.repository.loader import Loader

CPU = Device("CPUExecutionProvider", "cpu", {})
BATCH_TOKENS = 256


@pytest.fixture(scope="module")
def bundle(tiny_bundle: Path) -> Bundle:
    return Bundle.open(tiny_bundle)


@pytest.fixture
def bound(bundle: Bundle) -> Iterator[BoundSession]:
    variant = bundle.variant()
    layout = bucketed(variant.layout, bundle.manifest.max_tokens)
    session = BoundSession(bundle.model_file(variant), CPU, layout, BATCH_TOKENS)
    yield session
    session.close()


def engine_of(bundle: Bundle, session: Session) -> OnnxEngine:
    layout = bucketed(bundle.variant().layout, bundle.manifest.max_tokens)
    return OnnxEngine(session, layout, bundle.task)


def random_batches(seed: int) -> Iterator[list[np.ndarray]]:
    chance = np.random.default_rng(seed)
    for _ in range(40):
        yield [chance.integers(1, 10, length) for length in chance.integers(1, 33, chance.integers(1, 20))]


def test_batches_in_bound_buffers_answer_as_packed_ones_do(bundle: Bundle, bound: BoundSession) -> None:
    engine, variant = engine_of(bundle, bound), bundle.variant()
    packed = OnnxEngine(Session(bundle.model_file(variant)), variant.layout, bundle.task)
    # Some are beyond the budget, too.
    answers = [(engine.run(batch), packed.run(batch)) for batch in random_batches(0)]
    for found, wanted in answers:  # only now: an answer must not lie in a buffer that is used again
        np.testing.assert_array_equal(found, wanted)
    require_golden(engine, bundle, variant, BATCH_TOKENS)


def test_many_threads_may_share_bound_buffers(bundle: Bundle, bound: BoundSession) -> None:
    engine = engine_of(bundle, bound)
    batches = list(random_batches(1))
    alone = [engine.run(batch) for batch in batches]
    with ThreadPoolExecutor(4) as threads:
        for found, wanted in zip(threads.map(engine.run, batches), alone, strict=True):
            np.testing.assert_array_equal(found, wanted)


def test_the_warm_up_meets_every_shape_of_the_budget(bundle: Bundle, bound: BoundSession) -> None:
    engine = engine_of(bundle, bound)
    measured = warm_up(engine, BATCH_TOKENS, bundle.manifest.max_tokens)
    shapes = engine.layout.shapes(BATCH_TOKENS)
    assert {tokens for tokens, _ in measured} == {rows * length for rows, length in shapes}


def test_a_graph_that_is_broken_or_a_provider_that_is_not_there_is_said_so(
    bundle: Bundle, tmp_path: Path
) -> None:
    broken = tmp_path / "model.onnx"
    broken.write_bytes(b"no graph")
    with pytest.raises(StropError, match=r"model.onnx is not a graph that is served"):
        Session(broken)
    with pytest.raises(StropError, match="CUDAExecutionProvider"):
        Session(bundle.model_file(bundle.variant()), provider="CUDAExecutionProvider")


def test_the_cuda_provider_is_told_to_keep_to_its_limit() -> None:
    options = provider_options(graphs=True, memory_bytes=10**9)
    assert options["gpu_mem_limit"] == "1000000000"
    assert options["enable_cuda_graph"] == "1"
    assert "gpu_mem_limit" not in provider_options(graphs=False)
    assert all(isinstance(value, str) for value in options.values())


def opened(bundle: Bundle, **options: object) -> Opened:
    return open_engines(bundle, ServeConfig(bundle.root, **options))  # type: ignore[arg-type]


def test_auto_serves_on_the_cpu_where_there_is_nothing_better(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    found = opened(bundle, instances=3)
    assert {engine.provider for engine in found.engines} == {"CPUExecutionProvider"}
    assert len(found.engines) == 3
    assert found.batch_tokens == 384
    assert not found.passed_over
    assert not caplog.records


@pytest.fixture
def gpu_in_sight() -> Iterator[None]:
    """The registry as on a machine with a GPU that nothing installed here can use."""
    there = BACKENDS["cuda"]
    BACKENDS["cuda"] = replace(there, seen=lambda: True)
    yield
    BACKENDS["cuda"] = there


@pytest.mark.usefixtures("gpu_in_sight")
def test_auto_says_why_a_gpu_that_is_there_is_not_used(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    found = opened(bundle)
    assert {engine.provider for engine in found.engines} == {"CPUExecutionProvider"}
    assert list(found.passed_over) == ["cuda"]
    assert INSTALL in found.passed_over["cuda"]
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_cpu_alone_is_no_second_choice(bundle: Bundle) -> None:
    assert opened(bundle, provider="cpu", batch_tokens=100).batch_tokens == 100
    assert not opened(bundle, provider="cpu").passed_over


def test_a_provider_that_is_missing_is_a_warning_or_if_required_an_error(
    bundle: Bundle, caplog: pytest.LogCaptureFixture
) -> None:
    assert list(opened(bundle, provider="cuda").passed_over) == ["cuda"]
    assert [record.levelname for record in caplog.records if "passed over" in record.message] == ["WARNING"]
    with pytest.raises(InputError, match=r"--provider cuda is not available, because .*pip install"):
        opened(bundle, provider="cuda", require_provider=True)
    with pytest.raises(InputError, match="add --provider cuda, tensorrt or cpu"):
        ServeConfig(bundle.root, require_provider=True)


def variants(bundle: Bundle, **made_for: str) -> Bundle:
    """The bundle with variants of other names, each made for a provider, and quicker, larger and hungrier
    than the last.
    """
    fp32 = bundle.variant()
    others = tuple(
        replace(
            fp32,
            name=name,
            provider=provider,
            tokens_per_second=number,
            bytes=1000 * number,
            peak_bytes=number,
            facts={"sparse24": "6"} if "sparse24" in name else {},
        )
        for number, (name, provider) in enumerate(made_for.items(), 1)
    )
    return Bundle(bundle.root, replace(bundle.manifest, variants=(fp32, *others)))


def sized(bundle: Bundle, **sizes: int) -> Bundle:
    """The bundle with variants for CUDA whose files have these bytes."""
    made = variants(bundle, **dict.fromkeys(sizes, CUDA))
    resized = tuple(replace(one, bytes=sizes.get(one.name, one.bytes)) for one in made.manifest.variants)
    return Bundle(bundle.root, replace(made.manifest, variants=resized))


def test_each_provider_has_its_own_default_variant(bundle: Bundle) -> None:
    cuda, cpu = BACKENDS["cuda"], BACKENDS["cpu"]
    both = variants(bundle, int8=CPU.provider, **{"layers3+fp16": CUDA}, fp16=CUDA, w8=CPU.provider)
    assert choose(both, cuda, None).name == "layers3+fp16"
    assert choose(both, cpu, None).name == "fp32"
    assert choose(both, cuda, "int8").name == "int8"
    assert choose(bundle, cuda, None).name == "fp32"
    tensorrt = BACKENDS["tensorrt"]
    assert choose(both, tensorrt, None).name == "layers3+fp16"
    assert choose(variants(bundle, fp16=CUDA, fp8=TENSORRT), tensorrt, None).name == "fp8"


def test_a_gpu_serves_the_smallest_file_whatever_a_cpu_measured(bundle: Bundle) -> None:
    cuda, tensorrt = BACKENDS["cuda"], BACKENDS["tensorrt"]
    assert choose(sized(bundle, fp16=45_000_000, cut=30_000_000), cuda, None).name == "cut"
    # A few casts more are no reason for other numbers.
    assert choose(sized(bundle, fp16=45_000_900, bf16=45_000_000), cuda, None).name == "fp16"
    symmetric = variants(bundle, **{"sparse24+fp16": TENSORRT}, symmetric=TENSORRT)
    assert choose(symmetric, tensorrt, None).name == "symmetric"
    sparse = variants(bundle, **{"sparse24+fp16": CUDA})
    assert choose(sparse, cuda, None).name == "fp32"
    assert choose(sparse, cuda, "sparse24+fp16").name == "sparse24+fp16"


@pytest.mark.parametrize(("on_gpu", "chosen"), [(True, "half"), (False, "whole")])
def test_torch_chooses_by_what_it_computes_on(bundle: Bundle, on_gpu: bool, chosen: str) -> None:
    backend = replace(BACKENDS["torch"], on_gpu=lambda: on_gpu)
    assert choose(variants(bundle, half="torch", whole="torch"), backend, None).name == chosen
    assert (backend.batch_tokens() > BACKENDS["cpu"].batch_tokens()) == on_gpu


@pytest.mark.parametrize(
    ("options", "works", "expected"),
    [
        ({}, True, "fp16"),
        ({}, False, "fp32"),
        ({"variant": "int8"}, True, "int8"),
        ({"provider": "cpu"}, True, "fp32"),
        ({"provider": "torch"}, True, "program"),
        ({"provider": "cuda", "require_provider": True}, False, "fp16"),
    ],
)
@pytest.mark.usefixtures("gpu_in_sight")
def test_the_memory_of_a_model_is_told_of_the_variant_that_will_be_served(
    bundle: Bundle, tmp_path: Path, options: dict[str, Any], works: bool, expected: str
) -> None:
    every = variants(bundle, int8=CPU.provider, fp16=CUDA, program="torch")
    (tmp_path / "manifest.json").write_text(every.manifest.to_json(), encoding="utf-8")
    BACKENDS["cuda"] = replace(BACKENDS["cuda"], missing=lambda: None if works else "it is broken")
    found = Loader(ServeConfig(str(tmp_path), **options)).size(tmp_path)
    assert found == every.variant(expected).peak_bytes


@pytest.mark.usefixtures("gpu_in_sight")
def test_auto_leaves_a_variant_that_was_made_for_the_cpu_there(bundle: Bundle) -> None:
    both = variants(bundle, int8="CPUExecutionProvider", fp16="CUDAExecutionProvider")
    assert not opened(both, variant="int8").passed_over
    assert list(opened(both, variant="fp16").passed_over) == ["cuda"]
    with pytest.raises(InputError, match="variant 'int4' is not in"):
        opened(both, variant="int4")


def test_a_model_above_its_memory_limit_is_refused_with_both_figures(bundle: Bundle) -> None:
    with pytest.raises(InputError, match=r"needs about 1\d MB .* and 1 MB --memory-limit allows; lower"):
        opened(bundle, memory_limit=1)


def test_what_is_free_bounds_a_model_too() -> None:
    estimate = Estimate(weights=3e9, batches=1e9, overhead=5e8)
    estimate.require(0, 5e9)
    estimate.require(5e9, None)
    with pytest.raises(InputError, match=r"4,500 MB .* and 4,000 MB are free"):
        estimate.require(0, 4e9)


@pytest.mark.skipif(any_gpu(), reason="there is a GPU")
def test_without_a_gpu_nobody_tells_what_is_free() -> None:
    assert free_on_gpu() is None


def test_weights_are_counted_and_a_graph_that_is_cut_off_is_told(tmp_path: Path, bundle: Bundle) -> None:
    graph = bundle.model_file(bundle.variant())
    assert 256 * 256 * 4 < Weights.read(graph).bytes < graph.stat().st_size
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(graph.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"cut.onnx is not a graph that is served: it is cut off"):
        Weights.read(cut)


@pytest.mark.parametrize(
    ("providers", "device", "reason"),
    [
        (("CPUExecutionProvider",), "nvidia0", "built without it; pip uninstall onnxruntime"),
        (("CUDAExecutionProvider",), "null", "no NVIDIA GPU to be seen"),
        (("CUDAExecutionProvider",), "nvidia0", None),
        (("CUDAExecutionProvider",), "dxg", None),
    ],
)
def test_a_gpu_is_tried_only_where_one_can_be_seen(
    providers: tuple[str, ...], device: str, reason: str | None, tmp_path: Path
) -> None:
    (tmp_path / device).touch()
    found = cuda_missing(providers, tmp_path)
    assert found is None if reason is None else reason in str(found)


GOOD = Versions("1.31.1", "13.0", driver="580.65", driver_cuda="13.0", runtime="13.0", cudnn="9.10.2")
ORT_SAYS = (
    "Failed to load library libonnxruntime_providers_cuda.so with error: libcublasLt.so.13: cannot open"
    " shared object file: No such file or directory"
)


@pytest.mark.parametrize(
    ("probed", "reason"),
    [
        (Probed(GOOD, "CUDAExecutionProvider", "", 0), None),
        (Probed(GOOD, "CPUExecutionProvider", ORT_SAYS, 0), "libcublasLt.so.13 is not installed; pip inst"),
        (Probed(GOOD, "", "", -11), "ended with SIGSEGV"),
        (Probed(GOOD, "", "Traceback\n  CUDA failure 209: no kernel image\n", 1), "CUDA failure 209"),
        (
            Probed(replace(GOOD, driver="550.54", driver_cuda="12.4"), "", "", 1),
            "12.4 at most .* wants 13.0",
        ),
        (Probed(replace(GOOD, driver_cuda=""), "", "", 1), "libcuda.so.1 can't be loaded; install"),
        (Probed(None, "", "ImportError: numpy", 1), "ImportError: numpy"),
    ],
)
def test_why_a_gpu_is_not_used_is_told_with_what_to_install(probed: Probed, reason: str | None) -> None:
    found = cuda_fault(probed)
    assert found is None if reason is None else re.search(reason, str(found))


def test_the_probe_ends_well_where_there_is_no_gpu() -> None:
    probed = probe()
    assert probed.provider != "CUDAExecutionProvider"
    assert cuda_fault(probed)
    assert missing("CPUExecutionProvider") is None


def test_a_server_that_misses_its_provider_says_so_wherever_it_is_asked(
    start_server: Callable[..., Any], tiny_bundle: Path
) -> None:
    server = start_server(tiny_bundle, "--provider", "cuda")
    assert server.metric("strop_providers_passed_over", model="tiny", version="3") == 1
    with grpc.insecure_channel(server.address) as channel:
        stub = oip_grpc.GRPCInferenceServiceStub(channel)
        config = stub.ModelConfig(oip.ModelConfigRequest(name="tiny")).config
        about = stub.ServerMetadata(oip.ServerMetadataRequest())
    assert config.parameters["provider"].string_value == "CPUExecutionProvider"
    assert INSTALL in config.parameters["not_cuda"].string_value
    assert "provider:CPUExecutionProvider" in about.extensions
    assert INSTALL in " ".join(server.output.read_text().split())
    assert "passed over" in server.errors.read_text()
