"""Trained vectors before the text: prefix tuning, prompt tuning and p-tuning."""

import inspect
from typing import Any

from peft import PrefixTuningConfig, PromptEncoderConfig, PromptTuningConfig, PromptTuningInit
from transformers import PreTrainedModel

from strop.errors import InputError

from .options import MethodOptions


def prefix_tuning(options: MethodOptions, model: PreTrainedModel, steps: int) -> PrefixTuningConfig:
    """Li and Liang, "Prefix-Tuning: Optimizing Continuous Prompts for Generation", 2021.

    Without the paper's network that makes the vectors: the simpler form of Liu et al., "P-Tuning v2",
    2022. Raises ``InputError`` for a family whose attention takes no keys and values from outside.
    """
    if "past_key_values" not in inspect.signature(model.base_model.forward).parameters:
        raise InputError(
            f"--method prefix doesn't fit a model of type {model.config.model_type!r}, whose attention"
            " takes no keys and values from outside; choose prompt or p-tuning"
        )
    return PrefixTuningConfig(
        num_virtual_tokens=options.virtual_tokens,
        token_dim=model.config.hidden_size,
        num_layers=model.config.num_hidden_layers,
        num_attention_heads=model.config.num_attention_heads,
    )


def prompt_tuning(options: MethodOptions, model: PreTrainedModel, steps: int) -> PromptTuningConfig:
    """Lester et al., "The Power of Scale for Parameter-Efficient Prompt Tuning", 2021.

    The vectors begin as the embeddings of random tokens, which trained better there than noise.
    """
    return PromptTuningConfig(
        num_virtual_tokens=options.virtual_tokens,
        prompt_tuning_init=PromptTuningInit.SAMPLE_VOCAB,
        **_sizes(model),
    )


def p_tuning(options: MethodOptions, model: PreTrainedModel, steps: int) -> PromptEncoderConfig:
    """Liu et al., "GPT Understands, Too", 2021; a perceptron of three layers makes the vectors."""
    return PromptEncoderConfig(
        num_virtual_tokens=options.virtual_tokens,
        encoder_hidden_size=model.config.hidden_size,
        **_sizes(model),
    )


def _sizes(model: PreTrainedModel) -> dict[str, Any]:
    """What peft looks for under names that not every family has; the vectors are as wide as a word's."""
    return {
        "token_dim": model.get_input_embeddings().embedding_dim,
        "num_layers": model.config.num_hidden_layers,
        "num_attention_heads": model.config.num_attention_heads,
    }
