"""A trained model to a program of torch's own in the packed layout, checked against the model."""

import copy
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from transformers import AttentionInterface, PreTrainedModel

from strop.errors import InputError
from strop.tasks import Task

from ..bundle import Layout, PackedLayout
from ..encoder import EncoderAndHead, attending_by, attention_is_exchangeable, only_tokens
from ..parity import require_parity
from .attention import varlen_attention
from .session import as_tensor

# The name of our attention function in transformers' registry.
VARLEN = "strop_varlen"


class VarlenModel(EncoderAndHead):
    """Wraps a model so that it reads ``PackedLayout.tokens`` and attends within each sequence.

    What is judged of a text, the last layer's feed-forward part and the model's own head compute for
    one token of each sequence alone, as in a ``PackedModel``.
    """

    feeds = ("input_ids", "position_ids", "cu_seqlens", "starts", "token_type_ids")

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        cu_seqlens: Tensor,
        max_length: int,
        starts: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Logits [n, outputs] or, per token, [1, t, outputs]."""
        types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
        # A mask that nothing reads: without one transformers would make its own.
        mask = torch.zeros(1, 1, 1, 1, dtype=self.encoder.dtype)
        with only_tokens(starts, self.encoder), attending_by(VARLEN, self.encoder):
            states = self.encoder(
                input_ids,
                attention_mask=mask,
                position_ids=position_ids,
                cu_seqlens=cu_seqlens,
                max_length=max_length,
                **types,
            )
        hidden = states.last_hidden_state
        return cast(Tensor, self.head(hidden if self.per_token else hidden.transpose(0, 1)))


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    scaling: float,
    cu_seqlens: Tensor,
    max_length: int,
    **_: Any,
) -> tuple[Tensor, None]:
    """Query, key and value of shape [1, heads, t, size]; what is attended to is [1, t, heads, size]."""
    usual = query.shape[3] ** -0.5
    if abs(scaling - usual) > 1e-6 * usual:
        query = query * (scaling / usual)
    q, k, v = (states[0].transpose(0, 1).contiguous() for states in (query, key, value))
    return varlen_attention(q, k, v, cu_seqlens, max_length).unsqueeze(0), None


AttentionInterface.register(VARLEN, _attend)


def require_varlen(model: PreTrainedModel, option: str) -> None:
    """``InputError``, naming the option, for a model whose attention can't be a program's."""
    if not attention_is_exchangeable(model):
        raise InputError(
            f"{option}: {model.config.model_type} adds a bias of its own inside its attention, which"
            " attention over texts of different length has no place for; export it to ONNX alone"
        )


def export_program(
    model: PreTrainedModel,
    task: Task,
    layout: Layout,
    examples: Sequence[NDArray[np.int64]],
    path: Path,
    dtype: torch.dtype = torch.float32,
) -> None:
    """Write ``model`` in ``dtype`` to ``path``; in fp32 its logits are compared with the model's.

    The program takes ``PackedLayout.tokens``, each as it is there but ``cu_seqlens`` as int32, and
    ``max_length``, an int: no sequence is longer. Raises ``InputError`` for a model that can't be one,
    ``StropError`` when the logits differ.
    """
    assert isinstance(layout, PackedLayout)  # noqa: S101 - all others are optimum's
    require_varlen(model, "torch")
    varlen = VarlenModel(model, task, token_types=examples[0].ndim == 2)
    if dtype != torch.float32:
        varlen = copy.deepcopy(varlen).to(dtype)
    # Two sequences: what is 1 in an example may be taken for a constant.
    feeds = layout.tokens([examples[0]] * 2)
    tensors = {name: as_tensor(name, feeds[name]) for name in varlen.inputs}
    dynamic = torch.export.Dim.DYNAMIC
    shapes: dict[str, Any] = {name: {tensor.ndim - 1: dynamic} for name, tensor in tensors.items()}
    with torch.no_grad():
        program = torch.export.export(
            varlen,
            (),
            {**tensors, "max_length": len(examples[0])},
            dynamic_shapes=shapes | {"max_length": dynamic},
        )
    program.graph.eliminate_dead_code()
    torch.export.save(program, path)
    if dtype == torch.float32:
        require_parity(model, task, layout, examples, path)
