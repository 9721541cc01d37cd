"""A product of two thin matrices added to each linear layer's weights: LoRA and DoRA."""

from peft import LoraConfig
from transformers import PreTrainedModel

from .options import MethodOptions


def lora(options: MethodOptions, model: PreTrainedModel, steps: int) -> LoraConfig:
    """Hu et al., "LoRA: Low-Rank Adaptation of Large Language Models", 2022."""
    return LoraConfig(
        r=options.lora_rank,
        lora_alpha=options.alpha,
        lora_dropout=options.lora_dropout,
        target_modules="all-linear",
    )


def dora(options: MethodOptions, model: PreTrainedModel, steps: int) -> LoraConfig:
    """Liu et al., "DoRA: Weight-Decomposed Low-Rank Adaptation", 2024."""
    config = lora(options, model, steps)
    config.use_dora = True
    return config
