"""What a training must compute: the floating point operations of a token, by model and method."""

from dataclasses import dataclass
from typing import Self

from torch import nn
from transformers import PretrainedConfig, PreTrainedModel

MULTIPLY_ADD = 2
SCORES_AND_SUM = 2
"""Products in attention: of queries with keys, and of the shares that come of them with values."""


@dataclass(frozen=True)
class TrainingFlops:
    """Floating point operations of a forward and a backward pass through a model's layers.

    A weight takes 2 forward, 2 for the gradient of what it was multiplied with and, if it is trained, 2
    for its own: 6 N a token where all N weights are, 4 N + 2 T where only T are, as beside LoRA's frozen
    ones. Attention takes 12 L H Q s a token of a text of s, in L layers of H heads of width Q, for both of
    its factors need a gradient (Kaplan et al., "Scaling Laws for Neural Language Models", 2020, 2.1;
    Chowdhery et al., "PaLM", 2022, appendix B, which counts causal attention whole, too). Embeddings are
    looked up, which costs nothing. What --gradient-checkpointing computes again and virtual tokens are not
    counted, for no answer needs them. The first layer is counted as if the embeddings below it were always
    trained.
    """

    token: int
    """Of each token."""
    pair: int
    """Of each pair of tokens of a text, itself with itself included."""

    @classmethod
    def of(cls, model: nn.Module) -> Self:
        """Those of a model of transformers, with or without an adapter of peft."""
        config, layers = _config_of(model), layers_of(model)
        heads = config.num_attention_heads
        width = heads * (getattr(config, "head_dim", None) or config.hidden_size // heads)
        return cls(
            token=sum(matrix_flops(module) for module in layers.modules()),
            pair=3 * MULTIPLY_ADD * SCORES_AND_SUM * len(layers) * width,
        )

    def total(self, tokens: float, pairs: float) -> float:
        """Of texts with so many tokens; ``pairs`` is the sum of the squares of their lengths."""
        return self.token * tokens + self.pair * pairs


def layers_of(model: nn.Module) -> nn.ModuleList:
    """The stack of layers that the tokens go through."""
    count = _config_of(model).num_hidden_layers
    return next(one for one in model.modules() if isinstance(one, nn.ModuleList) and len(one) == count)


def matrix_flops(module: nn.Module) -> int:
    """Of one row through the matrices that are a module's own, not its children's."""
    return sum(
        MULTIPLY_ADD * (2 + weight.requires_grad) * weight.numel()
        for weight in module.parameters(recurse=False)
        if weight.dim() == 2
    )


def _config_of(model: nn.Module) -> PretrainedConfig:
    """Its own, or that of its part for texts."""
    own = next(one.config for one in model.modules() if isinstance(one, PreTrainedModel))
    return own.get_text_config()
