"""Every accepted architecture, packed, agrees with itself one text at a time: as graph and as program."""

from dataclasses import replace

import numpy as np
import pytest
import torch
import transformers

from strop.errors import InputError, StropError
from strop.export.bundle import Session, bucketed, open_runner, outputs
from strop.export.graph import export_graph
from strop.export.packed import PackedModel, packed_layout
from strop.export.program.write import export_program
from strop.tasks import TASKS
from strop.train.encoder import Encoder

TASK = TASKS["text-classification"]
VECTORS = TASKS["sentence-embedding"]
WORDS = TASKS["fill-mask"]

SIZE = {"vocab_size": 100, "num_labels": 3, "pad_token_id": 1}
HIDDEN = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "max_position_embeddings": 64,
}
CONFIGS = {
    "bert": transformers.BertConfig(**SIZE, **HIDDEN),
    "roberta": transformers.RobertaConfig(**SIZE, **HIDDEN),
    "xlm-roberta": transformers.XLMRobertaConfig(**SIZE, **HIDDEN),
    "electra": transformers.ElectraConfig(**SIZE, **HIDDEN, embedding_size=16),
    "mpnet": transformers.MPNetConfig(**SIZE, **HIDDEN),
    "distilbert": transformers.DistilBertConfig(
        **SIZE, dim=32, n_layers=2, n_heads=2, hidden_dim=64, max_position_embeddings=64
    ),
}
POOLINGS = {"bert": "cls", "electra": "cls"}
"""The others' vectors are means."""
LENGTHS = (5, 17, 9, 30)


def logits_alone(model, sequences):
    with torch.no_grad():
        rows = [model(torch.from_numpy(ids)[None]).logits for ids in sequences]
    return torch.cat(rows).numpy()


@pytest.mark.parametrize("name", CONFIGS)
def test_packed_graph_and_program_answer_as_the_model_does_one_text_at_a_time(
    name, random_model, random_sequences, tmp_path
):
    model, sequences = random_model(CONFIGS[name]), random_sequences(LENGTHS)
    packed, path = packed_layout(model), tmp_path / "model.onnx"
    export_graph(model, TASK, packed, sequences[:1], path)
    for layout in (packed, packed.padded(), bucketed(packed, 64)):
        found = layout.by_text(Session(path).run(layout.feeds(sequences)), sequences)
        np.testing.assert_allclose(found, logits_alone(model, sequences), atol=1e-4)
    program = tmp_path / "model.pt2"
    if name == "mpnet":
        with pytest.raises(InputError, match="mpnet adds a bias of its own inside its attention"):
            export_program(model, TASK, packed, sequences[:1], program)
        assert not program.exists()
        return
    export_program(model, TASK, packed, sequences[:1], program)
    session = open_runner(program)
    assert session.width == 3
    np.testing.assert_allclose(session.run(packed.feeds(sequences)), found, atol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_texts_vector_is_the_same_alone_and_in_a_batch(name, make_encoder, tmp_path):
    make_encoder(tmp_path, name)
    pooling = POOLINGS.get(name, "mean")
    task = VECTORS.pooled_by(pooling)
    model, untrained = Encoder.open(str(tmp_path)).model(task, ("embedding",), attention="eager")
    assert not untrained
    assert not [part for part, _ in model.named_parameters() if "pooler" in part]
    random = np.random.default_rng(0)
    sequences = [random.integers(4, 90, length) for length in (5, 17, 9, 30)]
    layout, path = packed_layout(model), tmp_path / "model.onnx"
    export_graph(model.eval(), task, layout, sequences[:1], path)
    session = Session(path)
    assert session.width == 32
    together = outputs(session, layout, task, sequences)
    padded = outputs(session, layout.padded(), task, sequences)
    for ids, vector, in_rectangle in zip(sequences, together, padded, strict=True):
        (alone,) = outputs(session, layout, task, [ids])
        assert np.array_equal(alone, vector)
        with torch.no_grad():
            (states,) = model(torch.from_numpy(ids)[None]).last_hidden_state
        wanted = states[0] if pooling == "cls" else states.mean(dim=0)
        np.testing.assert_allclose(vector, wanted, atol=1e-4)
        np.testing.assert_allclose(in_rectangle, wanted, atol=1e-4)


@pytest.mark.parametrize("name", CONFIGS)
def test_a_masks_token_is_told_the_same_alone_and_in_a_batch(name, make_encoder, tmp_path):
    make_encoder(tmp_path, name)
    encoder = Encoder.open(str(tmp_path))
    model, _ = encoder.model(WORDS, (), attention="eager")
    random, mask = np.random.default_rng(0), 89
    sequences = [random.integers(4, mask, length) for length in LENGTHS]
    for ids in sequences:
        ids[random.integers(1, len(ids))] = mask
    packed, path = packed_layout(model, mask), tmp_path / "model.onnx"
    export_graph(model.eval(), WORDS, packed, sequences[:1], path)
    session = Session(path)
    assert session.width == encoder.config.vocab_size
    with torch.no_grad():
        wanted = [model(torch.from_numpy(ids)[None]).logits[0, ids == mask][0] for ids in sequences]
    for layout in (packed, packed.padded(), bucketed(packed, 64)):
        found = layout.by_text(session.run(layout.feeds(sequences)), sequences)
        np.testing.assert_allclose(found, np.stack(wanted), atol=1e-4)
    together = session.run(packed.feeds(sequences))
    for ids, row in zip(sequences, together, strict=True):
        assert np.array_equal(session.run(packed.feeds([ids]))[0], row)


def test_a_graph_that_computes_something_else_is_refused(random_model, random_sequences, tmp_path):
    model = random_model(CONFIGS["bert"])
    layout = replace(packed_layout(model), first_position=1)
    with pytest.raises(StropError, match="differ from torch's"):
        export_graph(model, TASK, layout, random_sequences(LENGTHS), tmp_path / "model.onnx")


def test_another_architecture_is_refused_by_name():
    config = transformers.GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=10)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    with pytest.raises(InputError, match="'gpt2' can't be exported"):
        PackedModel(model, TASK)
