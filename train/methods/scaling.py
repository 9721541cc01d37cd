"""Activations multiplied by trained factors: IA³."""

from peft import IA3Config
from transformers import PreTrainedModel

from .options import MethodOptions

FEED_FORWARD = r".*(?<!attention\.)output\.dense|.*ffn\.lin2"
"""The second matrix of the feed-forward network, whose inputs are scaled, in BERT's families."""
ATTENTION = r".*\.(key|value|k|v|k_lin|v_lin)"
"""The matrices whose outputs are an attention layer's keys and values, in BERT's families."""


def ia3(options: MethodOptions, model: PreTrainedModel, steps: int) -> IA3Config:
    """Liu et al., "Few-Shot Parameter-Efficient Fine-Tuning is Better and Cheaper …", 2022."""
    return IA3Config(target_modules=f"{ATTENTION}|{FEED_FORWARD}", feedforward_modules=FEED_FORWARD)
