"""Every accepted architecture, packed, agrees with itself one text at a time: in torch and in ONNX."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
import transformers
from hypothesis import given, settings
from hypothesis import strategies as st

from strop.errors import InputError, StropError
from strop.export.bundle import PackedLayout, Session, softmax
from strop.export.graph import export_graph
from strop.export.packed import PackedClassifier, packed_layout
from strop.export.quantise import quantise_int8

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
LENGTHS = (5, 17, 9, 30)
LONGEST = 400


def random_model(config, spread=0.2):
    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_config(config, attn_implementation="eager")
    with torch.no_grad():  # far from the tiny default initialisation, so that attention matters
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * spread)
    return model.eval()


def random_sequences(lengths, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(5, 100, length) for length in lengths]


def logits_alone(model, sequences):
    with torch.no_grad():
        rows = [model(torch.from_numpy(ids)[None]).logits for ids in sequences]
    return torch.cat(rows).numpy()


@pytest.mark.parametrize("name", CONFIGS)
def test_the_packed_graph_answers_as_the_model_does_one_text_at_a_time(name, tmp_path):
    model, sequences = random_model(CONFIGS[name]), random_sequences(LENGTHS)
    packed, path = packed_layout(model), tmp_path / "model.onnx"
    export_graph(model, packed, sequences[:1], path)
    for layout in (packed, packed.padded()):
        found = Session(path).run(layout.feeds(sequences))
        np.testing.assert_allclose(found, logits_alone(model, sequences), atol=1e-4)


def test_a_graph_that_computes_something_else_is_refused(tmp_path):
    model = random_model(CONFIGS["bert"])
    layout = replace(packed_layout(model), first_position=1)
    with pytest.raises(StropError, match="logits differ from torch's"):
        export_graph(model, layout, random_sequences(LENGTHS), tmp_path / "model.onnx")


def test_another_architecture_is_refused_by_name():
    config = transformers.GPT2Config(n_layer=1, n_head=1, n_embd=8, vocab_size=10)
    model = transformers.AutoModelForSequenceClassification.from_config(config)
    with pytest.raises(InputError, match="'gpt2' can't be exported"):
        PackedClassifier(model)


@dataclass
class Variants:
    """The fp32 and int8 form of one model, each opened with one and with two threads."""

    layout: PackedLayout
    sessions: dict[tuple[str, int], Session]

    def alone(self, session: Session, sequences: list[np.ndarray]) -> np.ndarray:
        return np.concatenate([session.run(self.layout.feeds([ids])) for ids in sequences])


@pytest.fixture(scope="module", params=[(384, 12), (128, 2)], ids=["heads of 32", "heads of 64"])
def variants(request, tmp_path_factory):
    """Two layers as wide as MiniLM's, and heads as wide as BERT's: a tiny model meets other kernels."""
    hidden, heads = request.param
    folder = tmp_path_factory.mktemp("variants")
    config = transformers.BertConfig(
        **SIZE,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        num_hidden_layers=2,
        max_position_embeddings=LONGEST,
    )
    model = random_model(config, spread=0.05)
    layout = packed_layout(model)
    export_graph(model, layout, random_sequences(LENGTHS), folder / "fp32.onnx")
    calibration = [layout.feeds(random_sequences(LENGTHS, seed)) for seed in range(1, 9)]
    quantise_int8(folder / "fp32.onnx", folder / "int8.onnx", calibration)
    sessions = {
        (name, threads): Session(folder / f"{name}.onnx", threads=threads)
        for name in ("fp32", "int8")
        for threads in (1, 2)
    }
    return Variants(layout, sessions)


def test_int8_is_near_fp32_but_not_it(variants):
    feeds = variants.layout.feeds(random_sequences(range(5, 60), seed=99))
    fp32, int8 = (softmax(variants.sessions[name, 1].run(feeds)) for name in ("fp32", "int8"))
    assert 0 < np.abs(fp32 - int8).max() < 0.2
    assert (fp32.argmax(axis=1) == int8.argmax(axis=1)).mean() > 0.9


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("name", ["fp32", "int8"])
@settings(max_examples=25, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40) | st.integers(1, LONGEST), min_size=1, max_size=12),
    seed=st.integers(0, 2**32),
)
def test_a_text_gets_the_same_answer_bit_for_bit_alone_and_in_any_batch(
    variants, name, threads, lengths, seed
):
    session, sequences = variants.sessions[name, threads], random_sequences(lengths, seed)
    alone = variants.alone(session, sequences)
    for layout in (variants.layout, variants.layout.padded()):
        np.testing.assert_array_equal(session.run(layout.feeds(sequences)), alone)
