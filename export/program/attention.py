"""The operator that programs attend with: packed sequences of different length, none of them padded."""

from itertools import pairwise

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

HALF = (torch.float16, torch.bfloat16)
# Bytes by which CUDA's flash attention wants a head's numbers aligned.
FLASH_ALIGNMENT = 16
NO_CAUSAL_MASK = 0


@torch.library.custom_op("strop::varlen_attention", mutates_args=())
def varlen_attention(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor, max_length: int) -> Tensor:
    """softmax(q kᵀ / √size) v within each sequence; q, k and v are [t, heads, size].

    Sequence i is the tokens ``cu_seqlens[i]`` to ``cu_seqlens[i + 1]`` of int32 [n + 1], of at most
    ``max_length`` tokens; it may be empty. What comes out for tokens past the last sequence means
    nothing. On a CPU each sequence is computed by itself, so that its answer is the same in any batch.
    """
    found = torch.zeros_like(q)
    for start, end in pairwise(cu_seqlens.tolist()):
        if end > start:
            one, keys, values = (states[start:end].transpose(0, 1).unsqueeze(0) for states in (q, k, v))
            found[start:end] = scaled_dot_product_attention(one, keys, values)[0].transpose(0, 1)
    return found


@varlen_attention.register_fake
def _shapes(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor, max_length: int) -> Tensor:
    return torch.empty_like(q)


@varlen_attention.register_kernel("cuda")
def _on_cuda(q: Tensor, k: Tensor, v: Tensor, cu_seqlens: Tensor, max_length: int) -> Tensor:
    if q.dtype in HALF and q.shape[2] * q.element_size() % FLASH_ALIGNMENT == 0:
        # Not at the top: it loads torch's compiler, which takes seconds, and a CPU needs neither.
        from torch.nn.attention.varlen import varlen_attn

        packed = varlen_attn(q, k, v, cu_seqlens, cu_seqlens, max_length, max_length)
        assert isinstance(packed, Tensor)  # noqa: S101 - a pair only where auxiliary outputs are asked for
        return packed
    # As torch's nested tensors call it, for what flash attention doesn't take: fp32, odd heads.
    found: Tensor = torch.ops.aten._efficient_attention_forward(  # noqa: SLF001 - it has no public name
        q.unsqueeze(0),
        k.unsqueeze(0),
        v.unsqueeze(0),
        None,
        cu_seqlens,
        cu_seqlens,
        max_length,
        max_length,
        0.0,
        NO_CAUSAL_MASK,
    )[0]
    return found.squeeze(0)
