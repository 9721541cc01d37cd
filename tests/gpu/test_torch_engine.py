"""The torch engine on a card: by flash and by efficient attention, as it is and captured in graphs."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest

from strop.tasks import TASKS

TASK = TASKS["text-classification"]
MAX_TOKENS = 128
BUCKETS = (256, 1024)
# The last one fits no bucket.
LENGTHS = ((5,), (128,), (1, 1, 1), (30, 128, 2, 77, 19), (16,) * 60, (128,) * 9)
TOLERANCE = {"float32": 1e-4, "float16": 0.01, "bfloat16": 0.05}
Open = Callable[..., Any]
"""Opens the program of a dtype, on what is computed on unless a device is named."""


@pytest.fixture(scope="module")
def model(rehearsal: bool) -> Any:
    torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
    torch.manual_seed(0)
    layers, heads = (1, 2) if rehearsal else (3, 12)
    config = transformers.BertConfig(
        vocab_size=1000, num_hidden_layers=layers, hidden_size=32 * heads, num_attention_heads=heads
    )
    return transformers.AutoModelForSequenceClassification.from_config(
        config, attn_implementation="eager"
    ).eval()


@pytest.fixture(scope="module")
def layout(model: Any) -> Any:
    from strop.export.packed import packed_layout

    return packed_layout(model)


@pytest.fixture(scope="module")
def opened(model: Any, layout: Any, device: str, tmp_path_factory: pytest.TempPathFactory) -> Open:
    """Each program is written once."""
    import torch

    from strop.export.program.session import TorchSession
    from strop.export.program.write import export_program

    folder = tmp_path_factory.mktemp("programs")

    def open_program(dtype: str, on: str = device) -> TorchSession:
        path: Path = folder / f"{dtype}.pt2"
        if not path.exists():
            export_program(model, TASK, layout, sequences((9, 9)), path, getattr(torch, dtype))
        return TorchSession(path, device=on)

    return open_program


def engine_of(session: Any, layout: Any) -> Any:
    from strop.serve.engines.buckets import Bucket
    from strop.serve.engines.torch import TorchEngine

    return TorchEngine(session, layout, TASK, MAX_TOKENS, buckets=[Bucket(size) for size in BUCKETS])


def sequences(lengths: Sequence[int]) -> list[Any]:
    generator = np.random.default_rng(0)
    return [generator.integers(5, 1000, length) for length in lengths]


@pytest.mark.parametrize("dtype", TOLERANCE)
def test_a_card_answers_as_the_cpu_does_alone_in_batches_and_in_graphs(
    opened: Open, layout: Any, device: str, dtype: str
) -> None:
    cpu, card = opened("float32", "cpu"), opened(dtype)
    assert card.provider == f"torch-{device}"
    engine = engine_of(card, layout)
    for lengths in LENGTHS:
        batch = sequences(lengths)
        wanted = TASK.activate(cpu.run(layout.feeds(batch)))
        for found in (TASK.activate(card.run(layout.feeds(batch))), engine.run(batch)):
            np.testing.assert_allclose(found, wanted, atol=TOLERANCE[dtype])
        np.testing.assert_array_equal(engine.run(batch), engine.run(batch))


def test_an_engine_is_opened_beside_one_that_computes(opened: Open, layout: Any) -> None:
    """As a model is loaded beside others: what one thread computes is not in the other's graphs."""
    session = opened("float32")
    first = engine_of(session, layout)
    batches = [sequences(lengths) for lengths in LENGTHS]
    wanted = [first.run(batch) for batch in batches]
    begun, done = Event(), Event()

    def compute() -> int:
        rounds = 0
        while not rounds or not done.is_set():
            for batch, answer in zip(batches, wanted, strict=True):
                np.testing.assert_array_equal(first.run(batch), answer)
            rounds += 1
            begun.set()
        return rounds

    with ThreadPoolExecutor(1) as pool:
        computed = pool.submit(compute)
        try:
            begun.wait(60)
            second = engine_of(session, layout)
            for batch, answer in zip(batches, wanted, strict=True):
                np.testing.assert_allclose(second.run(batch), answer, atol=1e-5)
        finally:
            done.set()
        assert computed.result() >= 1


@pytest.mark.usefixtures("card")
def test_memory_comes_back_when_an_engine_is_closed(opened: Open, layout: Any) -> None:
    import torch

    engine_of(opened("bfloat16"), layout).close()  # what cuBLAS takes for good
    before = torch.cuda.memory_reserved()
    for _ in range(3):
        engine = engine_of(opened("bfloat16"), layout)
        assert torch.cuda.memory_reserved() > before
        engine.close()
        assert torch.cuda.memory_reserved() <= before
