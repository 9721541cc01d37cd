"""How much memory a training will take, before it is begun."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from strop import host

from .batches import Collator, Item, Row, lengths_of
from .checkpointing import enable_checkpointing
from .config import TrainConfig
from .cost import count_parameters
from .device import arithmetic, best_device
from .losses.objective import Objective

FP32 = 4
MOMENTS = 2
"""Running averages that AdamW keeps of each trained weight."""
AUTOCAST = {"bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class MemoryEstimate:
    """Bytes, by what they hold."""

    weights: int
    gradients: int
    optimiser: int
    activations: int
    """What the forward pass of a batch of the longest texts keeps for the backward pass."""

    @property
    def total(self) -> int:
        """All of it together, beside what the process needs for itself."""
        return self.weights + self.gradients + self.optimiser + self.activations


def estimate_memory(
    model: nn.Module, rows: Sequence[Row], pad_token_id: int, objective: Objective, config: TrainConfig
) -> MemoryEstimate:
    """Weights 4 P, gradients 4 T, AdamW's moments 8 T and activations f + b a(s) bytes.

    P and T are the numbers of all and of trained parameters, b the texts of a batch and s the tokens of
    the longest. Activations grow with b and not with the steps (Korthikanti et al., "Reducing
    Activation Recomputation in Large Transformer Models", 2022, give a(s) = 2 h s (17 + 2.5 n s / h) a
    layer in 16 bits, n heads, h wide); f, the weights cast for autocast, and a(s) are measured by a
    forward pass of two and of three such texts, for they depend on method, dropout and attention.
    With gradient checkpointing each layer's input is kept, and one layer is computed again at a time.
    torch's allocations peaked at 0.93 to 1.1 times the sum; the process as a whole can hold twice that on
    a CPU, where glibc keeps what was freed.
    """
    device = best_device()
    model.to(device).train()
    longest = rows[int(lengths_of(rows).argmax())]
    collate = Collator(pad_token_id)
    # One shorter, so that the mask hides something, as it does in most batches.
    shorter = tuple(Item(one, input_ids=one["input_ids"][:-1]) for one in longest)  # type: ignore[misc]

    def kept(texts: int) -> int:
        batch = collate([shorter, *[longest] * (texts - 1)])
        return _kept_bytes(
            model, {name: rows.to(device) for name, rows in batch.items()}, objective, config
        )

    few, more = kept(2), kept(3)
    activations = few + (config.batch_size - 2) * (more - few)
    if config.gradient_checkpointing:
        layers = int(model.config.num_hidden_layers)  # type: ignore[arg-type, union-attr]
        enable_checkpointing(model)
        few_inputs, inputs = kept(2), kept(3)
        stored = few_inputs + (config.batch_size - 2) * (inputs - few_inputs)
        activations = stored + activations // layers
    trained, total = count_parameters(model)
    return MemoryEstimate(
        weights=FP32 * total,
        gradients=FP32 * trained,
        optimiser=MOMENTS * FP32 * trained,
        activations=max(activations, 0),
    )


def free_memory() -> int:
    """Bytes that this process may still take: of the GPU, or of the machine or the container."""
    if torch.cuda.is_available():
        return torch.cuda.mem_get_info()[0]
    found = host.free_memory()
    if found is None:
        raise RuntimeError("/proc/meminfo names no MemAvailable")
    return found


def _kept_bytes(
    model: nn.Module, batch: dict[str, Tensor], objective: Objective, config: TrainConfig
) -> int:
    """Bytes that a forward pass keeps beside the weights; each storage once."""
    weights = {parameter.untyped_storage().data_ptr() for parameter in model.parameters()}
    kept: dict[int, int] = {}

    def note(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage.nbytes()
        return tensor

    numbers = AUTOCAST.get(arithmetic(config.precision))
    with (
        torch.autocast(best_device().type, numbers, enabled=numbers is not None),
        torch.autograd.graph.saved_tensors_hooks(note, lambda tensor: tensor),
    ):
        objective(model, batch)
    return sum(kept.values())
