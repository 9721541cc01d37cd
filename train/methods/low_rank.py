"""A product of two thin matrices added to each linear layer's weights: LoRA and DoRA."""

from peft import LoraConfig
from transformers import PreTrainedModel
from transformers.pytorch_utils import Conv1D

from .options import MethodOptions


def lora(options: MethodOptions, model: PreTrainedModel, steps: int) -> LoraConfig:
    """Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022."""
    return LoraConfig(
        r=options.lora_rank,
        lora_alpha=options.alpha,
        lora_dropout=options.lora_dropout,
        target_modules="all-linear",
        # As GPT-2 keeps its weights: transposed.
        fan_in_fan_out=any(isinstance(one, Conv1D) for one in model.modules()),
    )


def dora(options: MethodOptions, model: PreTrainedModel, steps: int) -> LoraConfig:
    """Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024."""
    config = lora(options, model, steps)
    config.use_dora = True
    return config
