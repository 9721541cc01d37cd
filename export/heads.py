"""A model's own head as a module that reads the states of a packed batch."""

from typing import cast

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from strop.errors import InputError
from strop.tasks import Task
from strop.train.heads import HEADS


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


class _VocabularyHead(nn.Module):
    """Masked language models: layers before the vocabulary, and then a logit of each token."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)

    def forward(self, masked: Tensor) -> Tensor:
        # In one row, as dense layers are in all the rest: another shape would be another operator.
        return cast(Tensor, self.layers(masked.transpose(0, 1)))[0]


def head_of(model: PreTrainedModel, task: Task) -> nn.Module:
    """What makes logits of states: of all tokens of a task that is per token, else of one of each text."""
    head = HEADS[task.head]
    if head.tells_tokens:
        return _vocabulary_head(model)
    if task.pooling:
        # Of the first tokens, [n, 1, hidden], only the dimension is too much.
        return nn.Identity() if task.per_token else nn.Flatten()
    return model.get_submodule(head.modules[0]) if task.per_token else _text_head(model)


def _vocabulary_head(model: PreTrainedModel) -> nn.Module:
    """The model's own head as a module from the masks' states [n, 1, hidden] to logits [n, vocabulary]."""
    match model.config.model_type:
        case "bert":
            names = ["cls"]
        case "distilbert":
            names = ["vocab_transform", "activation", "vocab_layer_norm", "vocab_projector"]
        case "electra":
            names = ["generator_predictions", "generator_lm_head"]
        case _:
            names = ["lm_head"]
    return _VocabularyHead(*map(model.get_submodule, names))


def _text_head(model: PreTrainedModel) -> nn.Module:
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
