"""Programs of torch's own: any output and batch, half precision, and what is said without torch."""

import subprocess
import sys
from typing import ClassVar

import numpy as np
import pytest
import torch
import transformers
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from strop.errors import InputError
from strop.export.bundle import open_runner, outputs, told
from strop.export.packed import packed_layout
from strop.export.program.attention import varlen_attention
from strop.export.program.session import TorchSession, as_tensor
from strop.export.program.write import export_program
from strop.tasks import TASKS
from strop.train.encoder import Encoder

TASK = TASKS["text-classification"]
LENGTHS = (5, 17, 9, 30)


@pytest.fixture(scope="module")
def bert(random_model):
    return random_model(
        transformers.BertConfig(
            vocab_size=100,
            num_labels=3,
            pad_token_id=1,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=64,
        )
    )


@pytest.fixture(scope="module")
def program(bert, random_sequences, tmp_path_factory):
    path = tmp_path_factory.mktemp("program") / "model.pt2"
    export_program(bert, TASK, packed_layout(bert), random_sequences(LENGTHS), path)
    return path


@pytest.fixture(scope="module")
def session(program):
    return open_runner(program)


@pytest.mark.parametrize("lengths", [(1,), (64,), (1, 1, 1), (64, 1, 30, 2)])
def test_a_batch_may_be_of_any_shape(bert, session, random_sequences, lengths):
    layout, sequences = packed_layout(bert), random_sequences(lengths)
    together = session.run(layout.feeds(sequences))
    alone = [session.run(layout.feeds([ids]))[0] for ids in sequences]
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_a_program_leaves_nothing_on_the_cpu_when_it_is_moved(bert, program, random_sequences):
    """Not a constant of its own either: no graph could be captured that copies one to a card."""

    class Watch(TorchDispatchMode):
        devices: ClassVar[set[str]] = set()

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            found = function(*args, **(kwargs or {}))
            tensors = [one for one in tree_leaves((args, kwargs, found)) if isinstance(one, torch.Tensor)]
            self.devices.update(one.device.type for one in tensors)
            return found

    moved = TorchSession(program, device="meta")
    feeds = packed_layout(bert).tokens(random_sequences(LENGTHS))
    tensors = {name: as_tensor(name, feeds[name]).to("meta") for name in moved.inputs}
    with Watch():
        moved.compute(tensors, max(LENGTHS))
    assert Watch.devices == {"meta"}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_answers_nearly_the_same_and_leaves_the_model_as_it_was(
    bert, program, session, random_sequences, tmp_path, dtype
):
    layout, sequences, half = packed_layout(bert), random_sequences(LENGTHS), tmp_path / "model.pt2"
    export_program(bert, TASK, layout, sequences, half, dtype)
    assert bert.dtype == torch.float32
    assert half.stat().st_size < program.stat().st_size
    found, wanted = (one.run(layout.feeds(sequences)) for one in (open_runner(half), session))
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=0.05)


@pytest.mark.parametrize("pooling", ["mean", "cls"])
def test_the_program_tells_vectors_of_pairs_too(make_encoder, tmp_path, pooling):
    make_encoder(tmp_path, "bert")
    task = TASKS["sentence-embedding"].pooled_by(pooling)
    model, _ = Encoder.open(str(tmp_path)).model(task, ("embedding",), attention="eager")
    random = np.random.default_rng(0)
    sequences = [
        np.stack([random.integers(4, 90, length), np.arange(length) > length // 2], axis=1)
        for length in LENGTHS
    ]
    layout, path = packed_layout(model), tmp_path / "model.pt2"
    export_program(model.eval(), task, layout, sequences, path)
    for ids, vector in zip(sequences, told(open_runner(path), layout, task, sequences), strict=True):
        tokens, types = torch.from_numpy(ids).T
        with torch.no_grad():
            (states,) = model(tokens[None], token_type_ids=types[None]).last_hidden_state
        wanted = states[0] if pooling == "cls" else states.mean(dim=0)
        np.testing.assert_allclose(vector, wanted, atol=1e-4)


def test_the_program_tells_the_words_at_masks(make_encoder, tmp_path):
    make_encoder(tmp_path, "roberta")
    task, mask = TASKS["fill-mask"], 89
    model, _ = Encoder.open(str(tmp_path)).model(task, (), attention="eager")
    random = np.random.default_rng(0)
    sequences = [random.integers(4, mask, length) for length in LENGTHS]
    for ids in sequences:
        ids[random.integers(1, len(ids))] = mask
    layout, path = packed_layout(model, mask), tmp_path / "model.pt2"
    export_program(model.eval(), task, layout, sequences, path)
    found = outputs(open_runner(path), layout, task, sequences)
    with torch.no_grad():
        logits = [model(torch.from_numpy(ids)[None]).logits[0, ids == mask][0] for ids in sequences]
    np.testing.assert_allclose(found, task.activate(np.stack(logits)), atol=1e-4)


def test_empty_sequences_and_tokens_of_none_disturb_no_other():
    q, k, v = torch.randn(3, 12, 2, 8, generator=torch.manual_seed(0)).unbind()
    whole = varlen_attention(q[:9], k[:9], v[:9], torch.tensor([0, 4, 9], dtype=torch.int32), 5)
    padded = varlen_attention(q, k, v, torch.tensor([0, 4, 4, 9, 9], dtype=torch.int32), 12)
    torch.testing.assert_close(padded[:9], whole, rtol=0, atol=0)


def test_another_file_is_refused_by_name(tmp_path):
    path = tmp_path / "torch" / "model.pt2"
    path.parent.mkdir()
    path.write_bytes(b"no program")
    with pytest.raises(InputError, match=r"model\.pt2 can't be read by torch"):
        open_runner(path)


def test_a_box_without_torch_is_told_what_to_install():
    script = """
import sys
sys.modules["torch"] = None
from pathlib import Path
from strop.errors import InputError
from strop.export.bundle import open_runner
try:
    open_runner(Path("variants/torch-bf16/model.pt2"))
except InputError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == (
        "torch-bf16 is a program for torch, which isn't installed; pip install 'strop[torch]', or name"
        " another variant\n"
    )
