"""transformers' Trainer, as Strop trains: batches of like lengths, checkpoints that go on exactly."""

from functools import partial
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Sampler
from transformers import Trainer
from transformers.trainer_utils import EvalLoopOutput

from .disk import faults_as_os_errors
from .heads import Head
from .losses.adversary import Adversary
from .losses.objective import Objective

CHECKPOINT_FILE = "trained.safetensors"


class StropTrainer(Trainer):
    """Takes its order from a sampler that can resume within an epoch; transformers' own can't.

    A checkpoint is every trained tensor as it is. What peft writes is what an adapter needs to answer,
    which is too little to go on with: p-tuning without its network, AdaLoRA cut to its ranks.
    """

    def __init__(
        self,
        *,
        sampler: Sampler[int],
        head: Head,
        objective: Objective,
        adversary: Adversary | None,
        together: bool,
        **options: Any,
    ) -> None:
        """``together``: a row of the data may be several inputs."""
        super().__init__(**options)
        self._head = head
        self._sampler = sampler
        self._objective = objective
        self._adversary = adversary
        self._together = together
        # An objective is a mean; several batches in a step are to weigh as much as one.
        self.loss_is_scaled_for_ga = False

    def _get_train_sampler(self, train_dataset: object = None) -> Sampler[int]:
        return self._sampler

    def evaluation_loop(self, *arguments: Any, **options: Any) -> EvalLoopOutput:
        """Gather all that a row's inputs gave: transformers cuts the last batch to its number of rows."""
        if self._together:
            self.gather_function = self.accelerator.gather
        return super().evaluation_loop(*arguments, **options)

    def training_step(
        self, model: nn.Module, inputs: dict[str, Any], num_items_in_batch: Tensor | int | None = None
    ) -> Tensor:
        """A forward and a backward pass, or several where an adversary wants them."""
        step = partial(super().training_step, model, inputs, num_items_in_batch)
        return self._adversary.train_through(step) if self._adversary else step()

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Any],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The objective in training; the head's own loss in evaluation, so that runs compare."""
        if not model.training:
            logits, labels = self._head.answers(model, inputs)
            loss = self._head.loss(logits, labels)
            kept = self._head.summary(logits, inputs["labels"])
            return (loss, {"loss": loss, "logits": kept}) if return_outputs else loss
        loss = self._objective(model, inputs)
        return loss * self._adversary.weight if self._adversary else loss

    def _save_checkpoint(self, *arguments: Any, **options: Any) -> None:
        with faults_as_os_errors(Path(str(self.args.output_dir))):
            super()._save_checkpoint(*arguments, **options)

    def _save(self, output_dir: str | None = None, state_dict: object = None) -> None:
        folder = Path(str(output_dir))
        folder.mkdir(parents=True, exist_ok=True)
        trained = {name: one.detach().contiguous() for name, one in _trained(self.model)}
        save_file(trained, folder / CHECKPOINT_FILE)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        stored = load_file(Path(resume_from_checkpoint) / CHECKPOINT_FILE)
        with torch.no_grad():
            for name, parameter in _trained(self.model):
                parameter.copy_(stored[name])

    def _load_best_model(self) -> None:
        self._load_from_checkpoint(str(self.state.best_model_checkpoint))


def _trained(model: nn.Module | None) -> list[tuple[str, nn.Parameter]]:
    assert model is not None  # noqa: S101
    return [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
