"""Merge adapters into their base: any peft method that changes weights, several with a weight each."""

import copy
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import torch
from peft.utils import ModulesToSaveWrapper
from torch import Tensor, nn
from transformers import PreTrainedModel

from strop.errors import InputError, StropError
from strop.tasks import Task

from .adapter import Adapter
from .attach import attach, settings_of
from .encoder import Encoder, is_within
from .heads import HEADS, Head, logits_of


def merged_model(
    base_model: str,
    task: Task,
    labels: Sequence[str],
    own: Adapter | None,
    further: Sequence[Adapter] = (),
) -> PreTrainedModel:
    """The base with a task's head, its adapters merged: fp32, in eval mode, with eager attention.

    ``further`` adapters must have been trained on the same base as ``own`` or, where that is None, on
    ``base_model`` itself. Raises ``InputError`` for a base or an adapter that can't be had, doesn't
    fit or can't be merged, and ``StropError`` when merging changes an adapter's answers.
    """
    encoder = Encoder.open(base_model, task)
    _require_one_base(encoder.name, own, further)
    model, untrained = encoder.model(task, labels, attention="eager")
    # Half precision would round a small delta away.
    model.float()  # type: ignore[no-untyped-call]
    model.train(False)
    adapters = (own, *further) if own else tuple(further)
    head = HEADS[task.head]
    parts = [_merge_alone(copy.deepcopy(model), head, adapter, encoder.name) for adapter in adapters]
    for module in untrained:
        if not any(part.holds(module) for part in parts):
            raise InputError(f"nobody trained the {module}: neither {encoder.name} nor an adapter has it")
    if [part.weight for part in parts] == [1.0]:
        return parts[0].model
    _add_up(model, parts, untrained)
    return model


@dataclass(frozen=True)
class _Part:
    """One adapter merged into the base alone."""

    weight: float
    model: PreTrainedModel
    whole: frozenset[str]
    """The modules that it brings instead of changing them: its head, mostly."""

    def holds(self, name: str) -> bool:
        """Whether it brings the module, or the one that a parameter is of."""
        return is_within(name, self.whole)


def _merge_alone(model: PreTrainedModel, head: Head, adapter: Adapter, base: str) -> _Part:
    """Merge one adapter into ``model``, which is changed, and compare the logits."""
    if settings_of(adapter, base).is_prompt_learning:
        raise _unmergeable(adapter, "it adds virtual tokens to the input and changes no weight")
    adapted = attach(model, adapter, base)
    whole = frozenset(getattr(adapted.peft_config["default"], "modules_to_save", None) or ())
    ids = _probe(model.config.vocab_size)
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    with torch.no_grad():
        try:
            before = logits_of(head, adapted, inputs)
            _unwrap(adapted.get_base_model())
            merged = cast(PreTrainedModel, adapted.merge_and_unload(safe_merge=True))
        except (AttributeError, NotImplementedError, ValueError) as error:
            raise _unmergeable(adapter, f"peft can't ({error})") from error
        difference = float((logits_of(head, merged, inputs) - before).abs().max())
    if not difference <= head.tolerance:
        raise StropError(
            f"merging adapter {adapter.folder} moves its logits by {difference:.2g}, more than"
            f" {head.tolerance:g}; give it in fp32, or an adapter of another method"
        )
    return _Part(adapter.weight, merged, whole)


def _unwrap(model: nn.Module) -> None:
    """Put the modules that an adapter brought in their place.

    Not every method of peft's does it, and some fail at a head that is more than one layer.
    """
    for name, module in list(model.named_modules()):
        if isinstance(module, ModulesToSaveWrapper):
            model.set_submodule(name, module.modules_to_save["default"])


def _probe(vocabulary: int) -> Tensor:
    """Token ids [4, 16] from the whole vocabulary, the same each time."""
    return torch.randint(vocabulary, (4, 16), generator=torch.Generator().manual_seed(0))


def _add_up(model: PreTrainedModel, parts: Sequence[_Part], untrained: Collection[str]) -> None:
    """Add to the base each part's difference from it, times the part's weight, whatever its method.

    Ilharco et al., "Editing models with task arithmetic", 2023; for LoRA it is the weighted sum of
    the products BA. A module that the base has untrained becomes the weighted mean of the parts'.
    """
    states = [(part, part.model.state_dict()) for part in parts]
    for name, tensor in model.state_dict().items():
        if is_within(name, untrained):
            brought = [(part.weight, state[name]) for part, state in states if part.holds(name)]
            total = sum(weight for weight, _ in brought)
            if total <= 0:
                raise InputError(
                    f"the adapters that bring {name} weigh {total:g} in all; give them a sum above 0"
                )
            tensor.copy_(sum(weight / total * value for weight, value in brought))
        else:
            tensor += sum(part.weight * (state[name] - tensor) for part, state in states)


def _require_one_base(base: str, own: Adapter | None, further: Sequence[Adapter]) -> None:
    """Raise ``InputError`` for an adapter that says it was trained on another base."""
    known = [name for name in (base, own and own.base_model) if name]
    for adapter in further:
        name = adapter.base_model
        if name and Path(name).resolve() not in [Path(one).resolve() for one in known]:
            raise InputError(
                f"adapter {adapter.folder} was trained on {name}, and the others on {known[-1]}; add only"
                " adapters of one base"
            )


def _unmergeable(adapter: Adapter, reason: str) -> InputError:
    kind = adapter.settings()["peft_type"]
    return InputError(
        f"adapter {adapter.folder} is of type {kind}, which can't be merged: {reason}; train one that"
        " changes weights, such as LoRA"
    )
