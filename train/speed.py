"""How quickly a model learns: tokens a second, and the share of this machine's arithmetic that they use."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle
from transformers import TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from strop.matrix_product import MatrixProduct

from .device import Arithmetic, best_device, fp32_products
from .flops import TrainingFlops, layers_of, matrix_flops
from .processes import process_count

WARM_UP_STEPS = 3
"""The first steps load kernels, take memory and compile; they are not counted."""
DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "tf32": torch.float32, "fp32": torch.float32}
PEAK_SECONDS = 0.2
"""Of measuring what the machine can do at best."""


@dataclass(frozen=True)
class TrainingSpeed:
    """Tokens and arithmetic a second of training steps, evaluations left out.

    A token counts as often as it goes through the model: an adversary or R-Drop sends it more than once.
    """

    seconds: float
    """Of the steps that were measured: all but the first."""
    tokens_per_second: float
    """The texts' own, in all processes together."""
    computed_tokens_per_second: float
    """The same with the padding beside them."""
    precision: Arithmetic
    """What the matrices were multiplied in."""
    peak_flops_per_second: float
    """Of ``matrix_peak``, on one device."""
    flop_utilisation: float
    """Model FLOP utilisation: what the texts' own tokens need on a device, as a share of its peak."""
    computed_flop_utilisation: float
    """The same with padding."""

    def __str__(self) -> str:
        return (
            f"{self.tokens_per_second:,.0f} tokens a second, {self.computed_tokens_per_second:,.0f} with"
            f" padding: {self.flop_utilisation:.1%} and {self.computed_flop_utilisation:.1%} of the"
            f" {self.peak_flops_per_second / 1e12:,.3g} TFLOP/s of a large matrix product in"
            f" {self.precision} here"
        )


class Speedometer(TrainerCallback):
    """Counts what goes through a model in training, and times it."""

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._flops = TrainingFlops.of(model)
        self._hooks: Sequence[RemovableHandle] = ()
        self._steps = 0
        self._seconds = 0.0
        self._began: float | None = None
        # Tensors from the first batch on: they stay on the device, and nobody waits for them there.
        self._tokens: Tensor | int = 0
        self._pairs: Tensor | int = 0
        self._computed_tokens = self._computed_pairs = self._head_flops = 0

    def speed(self, numbers: Arithmetic, threads: int) -> TrainingSpeed | None:
        """What was measured, against the peak of these ``numbers``; None of a training of a few steps."""
        if not self._seconds:
            return None
        peak, tokens = matrix_peak(numbers, threads), int(self._tokens)
        needed = self._flops.total(tokens, int(self._pairs)) + self._head_flops
        computed = self._flops.total(self._computed_tokens, self._computed_pairs) + self._head_flops
        return TrainingSpeed(
            seconds=round(self._seconds, 3),
            tokens_per_second=process_count() * tokens / self._seconds,
            computed_tokens_per_second=process_count() * self._computed_tokens / self._seconds,
            precision=numbers,
            peak_flops_per_second=peak,
            flop_utilisation=needed / self._seconds / peak,
            computed_flop_utilisation=computed / self._seconds / peak,
        )

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Look at what goes into the model, and at what comes out of the layers around its stack."""
        stack = {id(one) for one in layers_of(self._model).modules()}
        self._hooks = [
            self._model.register_forward_pre_hook(self._count, with_kwargs=True),
            *(
                module.register_forward_hook(self._count_head)
                for module in self._model.modules()
                if isinstance(module, nn.Linear) and id(module) not in stack
            ),
        ]

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Start the clock, if it stands."""
        if self._began is None and self._steps >= WARM_UP_STEPS:
            _finish_what_was_asked()
            self._began = time.perf_counter()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Stop the clock before whatever is no training."""
        self._steps += 1
        if self._began is not None and (
            control.should_evaluate or control.should_save or control.should_training_stop
        ):
            _finish_what_was_asked()
            self._seconds += time.perf_counter() - self._began
            self._began = None

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Leave the model alone."""
        for hook in self._hooks:
            hook.remove()

    def _count(self, model: nn.Module, _: object, inputs: dict[str, Any]) -> None:
        if self._began is None or not model.training:
            return
        mask: Tensor = inputs["attention_mask"]
        rows, longest = mask.shape
        lengths = mask.sum(1)
        self._tokens += lengths.sum()
        self._pairs += lengths.square().sum()
        self._computed_tokens += rows * longest
        self._computed_pairs += rows * longest**2

    def _count_head(self, module: nn.Module, _: object, output: Tensor) -> None:
        if self._began is not None and module.training:
            self._head_flops += matrix_flops(module) * output.numel() // output.shape[-1]


@cache
def matrix_peak(numbers: Arithmetic, threads: int) -> float:
    """Floating point operations a second in the product of two large square matrices, the best of some.

    On the device that would be trained on, with ``threads`` threads of a CPU.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        with torch.inference_mode(), fp32_products(numbers):
            return MatrixProduct(DTYPES[numbers], best_device()).best_rate(PEAK_SECONDS)
    finally:
        torch.set_num_threads(before)


def _finish_what_was_asked() -> None:
    """Wait for the GPU, which is told of a step and computes it later."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
