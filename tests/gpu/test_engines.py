"""Engines of ONNX graphs on a card, by the protocol of all: right, batch-invariant, gone when closed."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

PROVIDERS = ("cuda", "tensorrt")
LENGTHS = (5, 31, 8, 17, 2, 24, 11, 29, 3)
# fp16's rounding, of probabilities; fp32 engines are held closer by the bundle's own golden tolerance.
TOLERANCE = 2e-2
KEPT_BYTES = 64 * 2**20
"""What a provider's library may keep of the card once it was loaded."""


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A bundle of the smallest model that honours the packed contract: the one of the server's tests."""
    for package in ("onnx", "onnxruntime", "tokenizers", "grpc", "prometheus_client"):
        pytest.importorskip(package)
    from bundles import write_bundle
    from strop.export.bundle import Bundle

    return Bundle.open(write_bundle(tmp_path_factory.mktemp("bundles") / "tiny"))


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest, rehearsal: bool) -> str:
    """What computes, by its name in ``--provider``."""
    return "cpu" if rehearsal else str(request.param)


@pytest.fixture
def engine(provider: str, bundle: Any) -> Iterator[Any]:
    """An engine of the provider; skipped, with its own reason, where that can't be had."""
    with opened(bundle, provider) as engine:
        yield engine


@contextlib.contextmanager
def opened(bundle: Any, provider: str) -> Iterator[Any]:
    """One of a provider's own engines while the block runs; all are closed afterwards.

    Skipped, with its own reason, where the provider can't be had; what goes wrong with one that can is a
    failure.
    """
    from strop.serve.config import ServeConfig
    from strop.serve.engines.backends import BACKENDS
    from strop.serve.engines.instances import Instances
    from strop.serve.engines.opening import open_engines

    if reason := BACKENDS[provider].missing():
        pytest.skip(f"{provider} is not available, because {reason}")
    cache = bundle.root.parent / "engines"
    found = open_engines(
        bundle, ServeConfig(bundle.root, provider=provider, require_provider=True, engine_cache=cache)
    )
    instances = Instances(found.engines)
    try:
        if (upgrade := found.upgrade(instances)) is not None:
            upgrade.require()  # what was opened stands in until TensorRT's engine is built
        with instances.engine(0) as engine:
            assert engine.provider.lower().startswith(provider)
            yield engine
    finally:
        instances.close()


def sequences(seed: int = 0) -> list[Any]:
    random = np.random.default_rng(seed)
    return [random.integers(4, 10, length) for length in LENGTHS]


@pytest.mark.usefixtures("card")
def test_it_computes_on_the_card(engine: Any) -> None:
    assert "CPU" not in engine.provider


def test_it_answers_as_fp32_does_on_the_cpu(engine: Any, bundle: Any) -> None:
    with opened(bundle, "cpu") as reference:
        expected = reference.run(sequences())
    np.testing.assert_allclose(np.asarray(engine.run(sequences())), np.asarray(expected), atol=TOLERANCE)


def test_an_answer_does_not_depend_on_what_shares_its_batch(engine: Any) -> None:
    texts = sequences(1)
    together = np.asarray(engine.run(texts))
    alone = np.concatenate([np.asarray(engine.run([text])) for text in texts])
    np.testing.assert_allclose(together, alone, atol=1e-3)


def test_the_golden_examples_are_answered(engine: Any, bundle: Any) -> None:
    from strop.serve.engines.engine import require_golden

    require_golden(engine, bundle, bundle.variant(), 256)


@pytest.mark.usefixtures("card")
def test_a_model_may_be_opened_and_captured_while_another_computes(engine: Any, bundle: Any) -> None:
    from strop.serve.engines.engine import warm_up

    wanted, stop = np.asarray(engine.run(sequences(2))), threading.Event()

    def compute() -> int:
        batches = 0
        while not stop.is_set():
            np.testing.assert_array_equal(np.asarray(engine.run(sequences(2))), wanted)
            batches += 1
        return batches

    with ThreadPoolExecutor(1) as thread:
        computing = thread.submit(compute)
        try:
            with opened(bundle, "cuda") as other:
                warm_up(other, 1024, bundle.manifest.max_tokens)
        finally:
            stop.set()
        assert computing.result() > 0


@pytest.mark.usefixtures("card")
def test_a_closed_engine_gives_its_memory_back(bundle: Any, provider: str) -> None:
    import torch

    with opened(bundle, provider) as engine:  # what its library takes for good
        engine.run(sequences())
    free, _ = torch.cuda.mem_get_info()
    for _ in range(3):
        with opened(bundle, provider) as engine:
            engine.run(sequences())
    assert torch.cuda.mem_get_info()[0] > free - KEPT_BYTES
