"""A smaller model: layers left out, heads and feed-forward neurons cut from the matrices.

transformers 5 has no pruning of heads, and torch's pruning only writes zeros; here the shapes shrink,
so that every engine runs faster without knowing of it.
"""

import copy

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from strop.errors import InputError

from ..recipe import Shape
from .anatomy import Anatomy, anatomy, head_size
from .importance import Importance

MULTIPLE = 16
"""Neurons are kept in multiples of it: a SIMD register's worth."""


def cut(
    model: PreTrainedModel, shape: Shape, importance: Importance | None
) -> tuple[PreTrainedModel, list[int]]:
    """A copy of the classifier in the sizes of ``shape``, and which of the layers it has kept.

    The most important parts stay. Raises ``InputError`` when the shape asks for more than there is.
    """
    if importance is None or not shape.sizes:
        return copy.deepcopy(model), list(range(model.config.num_hidden_layers))
    require_smaller(model, shape)
    names = anatomy(model)
    smaller = copy.deepcopy(model)
    layers = names.layers_of(smaller)
    gone = importance.dispensable[: len(layers) - (shape.layers or len(layers))]
    kept = [number for number in range(len(layers)) if number not in gone]
    for number in kept:
        if shape.heads is not None:
            _cut_heads(
                layers[number], names, _best(importance.heads[number], shape.heads), head_size(model)
            )
        if shape.ffn is not None:
            neurons = len(importance.neurons[number])
            count = max(MULTIPLE, round(neurons * shape.ffn / 100 / MULTIPLE) * MULTIPLE)
            _cut_neurons(layers[number], names, _best(importance.neurons[number], min(count, neurons)))
    smaller.base_model.set_submodule(names.layers, nn.ModuleList([layers[number] for number in kept]))
    smaller.config.num_hidden_layers = len(kept)
    return smaller, kept


def require_smaller(model: PreTrainedModel, shape: Shape) -> None:
    """Raise ``InputError`` when the shape asks for more than the model has, or for what can't be cut."""
    if not shape.sizes:
        return
    if not anatomy(model).heads_are_apart and shape.heads is not None:
        raise InputError(
            f"heads{shape.heads}: the heads of {model.config.model_type} share one table of position"
            " biases and can't be cut; use layers or ffn"
        )
    there = {"layers": model.config.num_hidden_layers, "heads": model.config.num_attention_heads}
    for part, count in there.items():
        asked = getattr(shape, part)
        if asked is not None and asked >= count:
            raise InputError(f"{part}{asked}: the model has {count} {part}; ask for fewer")


def _best(importance: Tensor, count: int) -> Tensor:
    """The places of the ``count`` most important parts, in order."""
    return importance.topk(count).indices.sort().values.cpu()


def _cut_heads(layer: nn.Module, names: Anatomy, heads: Tensor, size: int) -> None:
    columns = (heads[:, None] * size + torch.arange(size)).flatten()
    for name in (names.query, names.key, names.value):
        layer.set_submodule(name, _kept(layer.get_submodule(name), rows=columns))
    layer.set_submodule(names.mix, _kept(layer.get_submodule(names.mix), columns=columns))


def _cut_neurons(layer: nn.Module, names: Anatomy, neurons: Tensor) -> None:
    layer.set_submodule(names.up, _kept(layer.get_submodule(names.up), rows=neurons))
    layer.set_submodule(names.down, _kept(layer.get_submodule(names.down), columns=neurons))


def _kept(linear: nn.Module, *, rows: Tensor | None = None, columns: Tensor | None = None) -> nn.Linear:
    """A linear layer with some of its outputs (rows) or inputs (columns)."""
    assert isinstance(linear, nn.Linear)  # noqa: S101
    weight = linear.weight.detach()
    bias = linear.bias.detach()
    if rows is not None:
        weight, bias = weight[rows], bias[rows]
    if columns is not None:
        weight = weight[:, columns]
    smaller = nn.Linear(weight.shape[1], weight.shape[0], dtype=weight.dtype, device=weight.device)
    smaller.weight.data, smaller.bias.data = weight.clone(), bias.clone()
    return smaller
