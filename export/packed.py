"""The packed model: a Hugging Face encoder with its attention on slots, its own head on texts or tokens."""

from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding
from transformers import AttentionInterface, PreTrainedModel

from strop.tasks import Task
from strop.train.encoder import first_position

from .bundle import PackedLayout
from .encoder import EncoderAndHead, attending_by, attention_is_exchangeable, only_tokens

# Slots. Made answers bit-identical alone and in any batch, fp32 and int8, on AVX2 and on AVX-512.
ALIGNMENT = 8
# The name of our attention function in transformers' registry.
SLOTS = "strop_slots"


class PackedModel(EncoderAndHead):
    """Wraps a model with eager attention so that it reads a ``Layout``.

    Only attention sees the slots, as r rows with a block-diagonal additive mask. Of a task that judges
    texts, the last layer's feed-forward part and the model's own head run on one token of each sequence
    alone: the first, or its mask.
    """

    feeds = ("input_ids", "position_ids", "slots", "segment_ids", "places", "starts", "token_type_ids")

    def __init__(self, model: PreTrainedModel, task: Task, *, token_types: bool = False) -> None:
        """``token_types``: it reads which text of a pair each token is of."""
        super().__init__(model, task, token_types=token_types)
        # Then all of it runs on slots.
        self.whole_on_slots = not attention_is_exchangeable(model)

    def forward(
        self,
        input_ids: Tensor,
        position_ids: Tensor,
        slots: Tensor,
        segment_ids: Tensor,
        places: Tensor,
        starts: Tensor | None = None,
        token_type_ids: Tensor | None = None,
    ) -> Tensor:
        """Logits [n, outputs] or, per token, [b, t, outputs], from ``inputs`` of ``Layout.feeds``."""
        same = segment_ids[:, None, :, None] == segment_ids[:, None, None, :]
        mask = torch.where(same, 0.0, torch.finfo(torch.float32).min)
        if self.whole_on_slots:
            input_ids, position_ids = (ids.flatten()[slots] for ids in (input_ids, position_ids))
            with only_tokens(None if starts is None else places.flatten()[starts], self.encoder):
                states = self.encoder(input_ids, attention_mask=mask, position_ids=position_ids)
        else:
            types = {} if token_type_ids is None else {"token_type_ids": token_type_ids}
            with only_tokens(starts, self.encoder), attending_by(SLOTS, self.encoder):
                states = self.encoder(
                    input_ids,
                    attention_mask=mask,
                    position_ids=position_ids,
                    slots=slots,
                    places=places,
                    **types,
                )
        hidden = states.last_hidden_state
        if not self.per_token:
            return cast(Tensor, self.head(hidden.transpose(0, 1)))
        if self.whole_on_slots:
            hidden = embedding(places, hidden.flatten(0, 1))
        return cast(Tensor, self.head(hidden))


def _attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor,
    *,
    scaling: float,
    slots: Tensor,
    places: Tensor,
    **_: Any,
) -> tuple[Tensor, None]:
    """Softmax attention in rows of slots, for query, key and value of shape [b, heads, t, size]."""
    heads, size = query.shape[1], query.shape[3]

    def on_slots(states: Tensor) -> Tensor:
        rows = embedding(slots, states.transpose(1, 2).reshape(-1, heads * size))
        return rows.view(*slots.shape, heads, size).transpose(1, 2)

    scores = on_slots(query) @ on_slots(key).transpose(2, 3) * scaling + attention_mask
    context = scores.softmax(-1) @ on_slots(value)
    return embedding(places, context.transpose(1, 2).reshape(-1, heads * size)), None


AttentionInterface.register(SLOTS, _attend)


def packed_layout(model: PreTrainedModel, mask_token_id: int | None = None) -> PackedLayout:
    """The layout that a model's packed graph expects; with a mask where its outputs are those of masks."""
    config = model.config
    return PackedLayout(
        alignment=ALIGNMENT,
        first_position=first_position(config),
        pad_token_id=config.pad_token_id,
        mask_token_id=mask_token_id,
    )
