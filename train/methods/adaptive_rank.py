"""LoRA whose rank moves to the layers that need it, while it trains: AdaLoRA."""

from pathlib import Path
from typing import Any

import torch
from peft import AdaLoraConfig, PeftModel
from torch import Tensor, nn
from transformers import PreTrainedModel, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from strop.errors import InputError, StropError

from .options import MethodOptions

STATE_FILE = "rank_schedule.pt"
ORTHOGONALITY = 0.5
"""Weight of the penalty, peft's default."""
FEWEST_STEPS = 10


def adalora(options: MethodOptions, model: PreTrainedModel, steps: int) -> AdaLoraConfig:
    """Zhang et al., "AdaLoRA: Adaptive Budget Allocation for Parameter-Efficient Fine-Tuning", 2023.

    Begins with one and a half times the rank, as in the paper, keeps it for a tenth of the steps,
    brings it down to ``lora_rank`` on average and trains what is left for the last three tenths.
    Raises ``InputError`` when there are too few steps for that.
    """
    if steps < FEWEST_STEPS:
        raise InputError(
            f"--method adalora moves ranks over at least {FEWEST_STEPS} steps, and this run has {steps};"
            " give more --epochs or a smaller --batch-size"
        )
    return AdaLoraConfig(
        init_r=options.lora_rank + (options.lora_rank + 1) // 2,
        target_r=options.lora_rank,
        lora_alpha=options.alpha,
        lora_dropout=options.lora_dropout,
        target_modules="all-linear",
        total_step=steps,
        tinit=steps // 10,
        tfinal=max(1, 3 * steps // 10),
        deltaT=max(1, steps // 100),
        orth_reg_weight=0.0,  # RankSchedule adds the penalty, whatever the loss is
    )


class RankSchedule(TrainerCallback):
    """Takes ranks away after a step, by peft's allocator, and adds the penalty to the gradients before it.

    peft would write the ranks that are left into the configuration, and then cut the saved matrices
    by it, which fits no other checkpoint. Kept here instead, with the running averages that decide.
    """

    def __init__(self, model: PeftModel) -> None:
        tuner: Any = model.base_model
        self._model: nn.Module = tuner.model
        self._allocator: Any = tuner.rankallocator
        settings: Any = model.peft_config["default"]
        self._last = settings.total_step - settings.tfinal
        self._final: dict[str, list[bool]] | None = None

    def on_pre_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Add the gradient of the penalty that keeps A and B orthogonal (the paper's R(P, Q))."""
        matrices = [
            parameter if "lora_A" in name else parameter.T
            for name, parameter in self._model.named_parameters()
            if "lora_A" in name or "lora_B" in name
        ]
        penalty = ORTHOGONALITY * torch.stack([_departure(matrix) for matrix in matrices]).mean()
        penalty.backward()  # type: ignore[no-untyped-call]

    def on_optimizer_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Learn what each rank is worth from this step's gradients, and take away what is due."""
        step = state.global_step + 1
        if step < self._last:
            self._allocator.update_and_allocate(self._model, step)
        elif self._final is None:
            _, self._final = self._allocator.update_and_allocate(self._model, step, force_mask=True)
        else:
            self._allocator.mask_using_rank_pattern(self._model, self._final)

    def on_save(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Lay beside the checkpoint what going on needs."""
        if state.is_world_process_zero:
            kept = {
                "importance": self._allocator.exp_avg_ipt,
                "uncertainty": self._allocator.exp_avg_unc,
                "final": self._final,
            }
            torch.save(kept, _place(args, state))

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any
    ) -> None:
        """Take up what the checkpoint holds that a resumed run begins with."""
        if not state.global_step:
            return
        path = _place(args, state)
        if not path.is_file():
            raise StropError(f"{path} is missing, so the run can't go on; begin a new one")
        kept = torch.load(path, map_location=args.device, weights_only=True)
        self._allocator.exp_avg_ipt, self._allocator.exp_avg_unc = kept["importance"], kept["uncertainty"]
        self._allocator.ipt = {name: torch.zeros_like(one) for name, one in kept["importance"].items()}
        self._final = kept["final"]


def _departure(matrix: Tensor) -> Tensor:
    """How far the rows [r, n] are from orthonormal: the Frobenius norm of M Mᵀ − I."""
    distance: Tensor = torch.linalg.norm(matrix @ matrix.T - torch.eye(len(matrix), device=matrix.device))
    return distance


def _place(args: TrainingArguments, state: TrainerState) -> Path:
    return Path(str(args.output_dir)) / f"checkpoint-{state.global_step}" / STATE_FILE
