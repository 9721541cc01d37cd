"""The torch engine on a card: by flash and by efficient attention, as it is and captured in graphs."""

# ruff: noqa: E402 - what needs a card is imported where there is one

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed")
transformers = pytest.importorskip("transformers", reason="transformers is not installed")
if not torch.cuda.is_available():
    pytest.skip("there is no CUDA device", allow_module_level=True)

from strop.export.packed import packed_layout
from strop.export.program.session import TorchSession
from strop.export.program.write import export_program
from strop.serve.engines.buckets import Bucket
from strop.serve.engines.torch import TorchEngine
from strop.tasks import TASKS

TASK = TASKS["text-classification"]
MAX_TOKENS = 128
LENGTHS = ((5,), (128,), (1, 1, 1), (30, 128, 2, 77, 19), (16,) * 60)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    config = transformers.BertConfig(num_hidden_layers=3, hidden_size=384, num_attention_heads=12)
    return transformers.AutoModelForSequenceClassification.from_config(
        config, attn_implementation="eager"
    ).eval()


def sequences(lengths):
    generator = np.random.default_rng(0)
    return [generator.integers(5, 1000, length) for length in lengths]


@pytest.mark.parametrize(("dtype", "tolerance"), [("float32", 1e-4), ("float16", 0.01), ("bfloat16", 0.05)])
def test_a_card_answers_as_the_cpu_does_alone_in_batches_and_in_graphs(model, tmp_path, dtype, tolerance):
    layout, path = packed_layout(model), tmp_path / "model.pt2"
    export_program(model, TASK, layout, sequences((9, 9)), path, getattr(torch, dtype))
    reference = tmp_path / "reference.pt2"
    export_program(model, TASK, layout, sequences((9, 9)), reference)
    cpu, card = TorchSession(reference, device="cpu"), TorchSession(path)
    assert card.provider == "torch-cuda"
    engine = TorchEngine(card, layout, TASK, MAX_TOKENS, buckets=[Bucket(256), Bucket(1024)])
    for lengths in LENGTHS:
        batch = sequences(lengths)
        wanted = TASK.activate(cpu.run(layout.feeds(batch)))
        np.testing.assert_allclose(TASK.activate(card.run(layout.feeds(batch))), wanted, atol=tolerance)
        np.testing.assert_allclose(engine.run(batch), wanted, atol=tolerance)
        np.testing.assert_array_equal(engine.run(batch), engine.run(batch))


def test_memory_comes_back_when_an_engine_is_closed(model, tmp_path):
    layout, path = packed_layout(model), tmp_path / "model.pt2"
    export_program(model, TASK, layout, sequences((9, 9)), path, torch.bfloat16)
    torch.cuda.init()
    before = torch.cuda.memory_reserved()
    engine = TorchEngine(TorchSession(path), layout, TASK, MAX_TOKENS)
    assert torch.cuda.memory_reserved() > before
    engine.close()
    assert torch.cuda.memory_reserved() <= before
