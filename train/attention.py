"""Attention by torch's fused kernels for a family that transformers writes out step by step."""

from typing import Any

from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from transformers.models.mpnet.modeling_mpnet import MPNetSelfAttention


class FusedMPNetAttention(MPNetSelfAttention):
    """The same attention without its scores in memory, which are most of what a long text takes."""

    def forward(
        self,
        hidden_states: Tensor,
        attention_mask: Tensor | None = None,
        position_bias: Tensor | None = None,
        output_attentions: bool = False,
        **_: Any,
    ) -> tuple[Tensor]:
        """What tokens [n, tokens, hidden] make of each other; ``attention_mask`` and ``position_bias``
        are added to the scores [n, heads, tokens, tokens], which can't be had: there are none in memory.
        """
        shape = (*hidden_states.shape[:-1], self.num_attention_heads, self.attention_head_size)
        query, key, value = (
            part(hidden_states).view(shape).transpose(1, 2) for part in (self.q, self.k, self.v)
        )
        added = [one for one in (attention_mask, position_bias) if one is not None]
        context = scaled_dot_product_attention(
            query,
            key,
            value,
            attn_mask=sum(added[1:], added[0]) if added else None,
            dropout_p=self.dropout.p if self.training else 0.0,
        )
        return (self.o(context.transpose(1, 2).flatten(2)),)


def fuse_attention(model: nn.Module) -> None:
    """Have a model of MPNet's family compute attention so; weights and their names stay.

    transformers does it by itself in the other families.
    """
    for module in model.modules():
        if type(module) is MPNetSelfAttention:
            module.__class__ = FusedMPNetAttention
