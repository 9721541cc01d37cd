"""What each layer, head and feed-forward neuron is worth to a model, measured on data.

Heads and neurons: the first-order change of the loss if the part were gone, |activation × gradient|
(Molchanov et al., 2017; for heads Michel et al., 2019). Layers: by how much the answers move when one
is skipped, the least missed one first, and so on with what is left.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from strop.tasks import Task
from strop.train.batches import Collator, Row, longest_first
from strop.train.device import arithmetic
from strop.train.heads import HEADS, Head, logits_of

from .anatomy import anatomy, head_size
from .distance import distance, own_rows

BATCH = 32
LAYER_BATCHES = 8


@dataclass(frozen=True)
class Importance:
    """The more, the more the part would be missed."""

    heads: tuple[Tensor, ...]
    """For each layer a float tensor of shape [heads]."""
    neurons: tuple[Tensor, ...]
    """For each layer a float tensor of shape [neurons]."""
    dispensable: tuple[int, ...]
    """All layers but one, in the order in which they should go."""


def measure_importance(model: PreTrainedModel, rows: Sequence[Row], task: Task) -> Importance:
    """Measure a model in eval mode on labelled examples; its weights stay as they are."""
    model.requires_grad_(True)  # a merged adapter leaves them frozen
    batches = batches_of(model, rows)
    heads, neurons = _first_order(model, HEADS[task.head], batches)
    # The cost of ranking layers grows with their square, and fewer texts rank them as well.
    some = batches[:: max(1, len(batches) // LAYER_BATCHES)]
    with torch.autocast(model.device.type, torch.bfloat16, enabled=arithmetic("auto") == "bf16"):
        dispensable = tuple(_dispensable(model, some, task))
    return Importance(heads, neurons, dispensable)


def batches_of(model: PreTrainedModel, rows: Sequence[Row]) -> list[dict[str, Tensor]]:
    """The rows in batches on the model's device, of about equally long texts each."""
    collate = Collator(int(model.config.pad_token_id))
    order = longest_first(rows)
    return [
        {name: tensor.to(model.device) for name, tensor in collate([rows[i] for i in part]).items()}
        for part in (order[start : start + BATCH] for start in range(0, len(order), BATCH))
    ]


def _first_order(
    model: PreTrainedModel, head: Head, batches: Sequence[dict[str, Tensor]]
) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    names, size = anatomy(model), head_size(model)
    layers = names.layers_of(model)
    mixes = [layer.get_submodule(names.mix) for layer in layers]
    downs = [layer.get_submodule(names.down) for layer in layers]
    heads = [torch.zeros(cast(nn.Linear, mix).in_features // size, device=model.device) for mix in mixes]
    neurons = [torch.zeros(cast(nn.Linear, down).in_features, device=model.device) for down in downs]
    for batch in batches:
        with _inputs_of([*mixes, *downs]) as seen:
            loss = head.loss(logits_of(head, model, batch), batch["labels"])
            loss.backward()  # type: ignore[no-untyped-call]
        model.zero_grad()
        real = batch["attention_mask"].flatten().bool()
        for number in range(len(layers)):
            change = _change(seen[number])[real]
            heads[number] += change.view(len(change), -1, size).sum(2).abs().sum(0)
            neurons[number] += _change(seen[len(layers) + number])[real].abs().sum(0)
    return tuple(heads), tuple(neurons)


def _change(activation: Tensor) -> Tensor:
    """Activation × gradient, [tokens, width]."""
    assert activation.grad is not None  # noqa: S101
    return (activation.detach() * activation.grad).flatten(0, -2)


@contextmanager
def _inputs_of(modules: Sequence[nn.Module]) -> Iterator[list[Tensor]]:
    """What each module is given, in order, with its gradient after a backward pass."""
    seen: dict[int, Tensor] = {}

    def keep(place: int) -> Callable[[nn.Module, Any], None]:
        def hook(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            seen[place] = inputs[0]
            inputs[0].retain_grad()

        return hook

    hooks = [module.register_forward_pre_hook(keep(place)) for place, module in enumerate(modules)]
    states: list[Tensor] = []
    try:
        yield states
        states += [seen[place] for place in range(len(modules))]
    finally:
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def _dispensable(model: PreTrainedModel, batches: Sequence[dict[str, Tensor]], task: Task) -> Iterator[int]:
    """Layers from the least missed on, always given that those before are gone."""
    layers = anatomy(model).layers_of(model)
    whole = [_logits(model, batch, task) for batch in batches]
    gone: list[int] = []

    def harm(number: int) -> float:
        with _skipped([layers[place] for place in (*gone, number)]):
            return sum(
                len(before) * float(distance(task, _logits(model, batch, task), before))
                for batch, before in zip(batches, whole, strict=True)
            )

    while len(gone) < len(layers) - 1:
        gone.append(min((n for n in range(len(layers)) if n not in gone), key=harm))
        yield gone[-1]


def _logits(model: PreTrainedModel, batch: dict[str, Tensor], task: Task) -> Tensor:
    return own_rows(logits_of(HEADS[task.head], model, batch).float(), batch["attention_mask"].bool())


@contextmanager
def _skipped(layers: Sequence[nn.Module]) -> Iterator[None]:
    """Let layers hand on what they are given."""

    def pass_on(_: nn.Module, inputs: tuple[Any, ...], output: Any) -> Any:
        return (inputs[0], *output[1:]) if isinstance(output, tuple) else inputs[0]

    hooks = [layer.register_forward_hook(pass_on) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
