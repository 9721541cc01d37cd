"""Random models, and one as wide as MiniLM in every numeric form: a tiny model meets other kernels."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import numpy as np
import pytest

LENGTHS = (5, 17, 9, 30)


def make_model(config, spread=0.2):
    import torch
    import transformers

    torch.manual_seed(0)
    model = transformers.AutoModelForSequenceClassification.from_config(config, attn_implementation="eager")
    with torch.no_grad():  # far from the tiny default initialisation, so that attention matters
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * spread)
    return model.eval()


def make_sequences(lengths, seed=0):
    generator = np.random.default_rng(seed)
    return [generator.integers(5, 100, length) for length in lengths]


@pytest.fixture(scope="session")
def random_model():
    """Makes a random classifier of a transformers config."""
    return make_model


@pytest.fixture(scope="session")
def random_sequences():
    """Makes token ids below 100, in sequences of given lengths."""
    return make_sequences


@dataclass
class Wide:
    """A wide model: its fp32 graph, and what makes and opens its other forms."""

    layout: object
    folder: Path
    sessions: dict = field(default_factory=dict)

    def path(self, name):
        return self.folder / f"{name}.onnx"

    def feeds(self):
        return [self.layout.feeds(make_sequences(LENGTHS, seed)) for seed in range(1, 9)]

    def calibration(self, source):
        from strop.export.precision.calibration import Calibration
        from strop.export.precision.divergence import Divergence
        from strop.tasks import TASKS

        return Calibration(self.feeds, Divergence(source, self.feeds, TASKS["text-classification"]))

    def session(self, name, threads=1):
        """The named form, written when it is first asked for."""
        from strop.export.bundle import Session
        from strop.export.precision import PRECISIONS

        if not self.path(name).exists():
            source = self.path("fp32")
            PRECISIONS[name].write(source, self.path(name), self.calibration(source))
        if (name, threads) not in self.sessions:
            self.sessions[name, threads] = Session(self.path(name), threads=threads)
        return self.sessions[name, threads]


@pytest.fixture(scope="session")
def make_wide(tmp_path_factory):
    """Makes the model of a hidden size and a number of heads, each only once."""
    return cache(lambda hidden, heads: write_wide(tmp_path_factory.mktemp("wide"), hidden, heads))


@pytest.fixture(scope="session", params=[(384, 12), (128, 2)], ids=["heads of 32", "heads of 64"])
def wide(request, make_wide):
    """Two layers as wide as MiniLM's, and heads as wide as BERT's."""
    return make_wide(*request.param)


@pytest.fixture(scope="session")
def wide_of_64(make_wide):
    """Two layers with heads as wide as BERT's, where one model will do."""
    return make_wide(128, 2)


@pytest.fixture(scope="session")
def minilm(tmp_path_factory):
    """MiniLM-L6 in every size, with random weights: kernels are chosen by shapes alone."""
    return write_wide(tmp_path_factory.mktemp("minilm"), 384, 12, layers=6, vocabulary=30522, longest=512)


def write_wide(folder, hidden, heads, layers=2, vocabulary=100, longest=400):
    import torch
    import transformers

    from strop.export.graph import export_graph
    from strop.export.packed import packed_layout
    from strop.tasks import TASKS

    config = transformers.BertConfig(
        vocab_size=vocabulary,
        num_labels=3,
        pad_token_id=1,
        hidden_size=hidden,
        num_attention_heads=heads,
        intermediate_size=4 * hidden,
        num_hidden_layers=layers,
        max_position_embeddings=longest,
    )
    model = make_model(config, spread=0.05)
    with torch.no_grad():  # so that texts differ and their probabilities aren't all alike
        for module in model.modules():
            if isinstance(module, torch.nn.LayerNorm):
                module.weight.fill_(1)
        model.classifier.weight *= 5
    result = Wide(packed_layout(model), folder)
    export_graph(
        model, TASKS["text-classification"], result.layout, make_sequences(LENGTHS), result.path("fp32")
    )
    return result
