"""The packed classifier: a Hugging Face encoder run over one row of sequences, its own head on each."""

from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from strop.errors import InputError
from strop.train.encoder import first_position

from .bundle import PackedLayout

# Tokens. Made answers bit-identical alone and in any batch, fp32 and int8, on AVX2 and on AVX-512.
ALIGNMENT = 8


class PackedClassifier(nn.Module):
    """Wraps a sequence-classification model so that it reads the packed layout.

    The encoder sees one row of T tokens with a block-diagonal additive mask; each sequence's first
    token goes to the model's own head as a batch of n rows of length 1.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.encoder = model.base_model
        self.head = _head(model)
        self.eval()

    def forward(
        self, input_ids: Tensor, position_ids: Tensor, segment_ids: Tensor, starts: Tensor
    ) -> Tensor:
        """Logits [n, classes] from ids of shape [1, T] and ``starts`` of shape [n], all int64."""
        same = segment_ids[:, None, :, None] == segment_ids[:, None, None, :]
        mask = torch.where(same, 0.0, torch.finfo(torch.float32).min)
        hidden = self.encoder(
            input_ids=input_ids, attention_mask=mask, position_ids=position_ids
        ).last_hidden_state
        first = hidden[0, starts].unsqueeze(1)
        return cast(Tensor, self.head(first))


class _PooledHead(nn.Module):
    """BERT: tanh pooler, then the classifier."""

    def __init__(self, pooler: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.pooler, self.classifier = pooler, classifier

    def forward(self, first: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(self.pooler(first)))


class _DistilHead(nn.Module):
    """DistilBERT: a ReLU layer, then the classifier."""

    def __init__(self, pre_classifier: nn.Module, classifier: nn.Module) -> None:
        super().__init__()
        self.pre_classifier, self.classifier = pre_classifier, classifier

    def forward(self, first: Tensor) -> Tensor:
        return cast(Tensor, self.classifier(torch.relu(self.pre_classifier(first[:, 0]))))


def _head(model: PreTrainedModel) -> nn.Module:
    """The model's own head as a module from first-token states [n, 1, hidden] to logits."""
    match model.config.model_type:
        case "bert":
            pooler = model.base_model.get_submodule("pooler")
            return _PooledHead(pooler, model.get_submodule("classifier"))
        case "distilbert":
            first_layer = model.get_submodule("pre_classifier")
            return _DistilHead(first_layer, model.get_submodule("classifier"))
        case "electra" | "mpnet" | "roberta" | "xlm-roberta":
            return model.get_submodule("classifier")  # reads the first token itself
        case other:
            raise InputError(f"model type {other!r} can't be exported in the packed layout")


def packed_layout(model: PreTrainedModel) -> PackedLayout:
    """The layout that a model's packed graph expects."""
    config = model.config
    return PackedLayout(
        alignment=ALIGNMENT, first_position=first_position(config), pad_token_id=config.pad_token_id
    )
