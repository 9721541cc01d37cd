"""Where each family of encoders keeps the parts that can be cut."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from torch import nn
from transformers import PreTrainedModel

from strop.errors import InputError


@dataclass(frozen=True)
class Anatomy:
    """Module names: ``layers`` within the encoder, the others within a layer."""

    layers: str
    query: str
    key: str
    value: str
    mix: str
    """Mixes what the heads found."""
    up: str
    """Into the feed-forward neurons."""
    down: str
    """Out of them."""
    heads_are_apart: bool = True
    """Whether a head can go without touching what layers share."""

    def layers_of(self, model: PreTrainedModel) -> Sequence[nn.Module]:
        """The encoder's layers, from the embeddings on."""
        return list(cast(nn.ModuleList, model.base_model.get_submodule(self.layers)))


_BERT = Anatomy(
    layers="encoder.layer",
    query="attention.self.query",
    key="attention.self.key",
    value="attention.self.value",
    mix="attention.output.dense",
    up="intermediate.dense",
    down="output.dense",
)
ANATOMIES = {
    **dict.fromkeys(("bert", "electra", "roberta", "xlm-roberta"), _BERT),
    "distilbert": Anatomy(
        layers="transformer.layer",
        query="attention.q_lin",
        key="attention.k_lin",
        value="attention.v_lin",
        mix="attention.out_lin",
        up="ffn.lin1",
        down="ffn.lin2",
    ),
    "mpnet": Anatomy(
        layers="encoder.layer",
        query="attention.attn.q",
        key="attention.attn.k",
        value="attention.attn.v",
        mix="attention.attn.o",
        up="intermediate.dense",
        down="output.dense",
        heads_are_apart=False,  # one table of position biases serves the heads of all layers
    ),
}


def anatomy(model: PreTrainedModel) -> Anatomy:
    """The model's; ``InputError`` where its family is not known."""
    found = ANATOMIES.get(model.config.model_type)
    if found is None:
        raise InputError(
            f"model type {model.config.model_type!r} can't be cut; leave cuts out of --recipes, or use"
            f" one of {', '.join(ANATOMIES)}"
        )
    return found


def head_size(model: PreTrainedModel) -> int:
    """Numbers that one attention head computes for a token."""
    return int(model.config.hidden_size) // int(model.config.num_attention_heads)
