"""Heads that make a vector of the states of a text's tokens, and bring vectors together."""

import inspect
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity, cross_entropy, normalize
from transformers import MODEL_MAPPING, PretrainedConfig

from strop.tasks import Pooling
from strop.tasks.sentence_embedding import ANCHOR, NEGATIVE, POSITIVE

from .head import Head, labelled

SCALE = 20.0
"""What cosines are multiplied with before a softmax, the inverse of its temperature."""


class _Pooled(Head):
    """Nothing is added to the encoder."""

    loss_name: ClassVar[str]
    model_class = "AutoModel"
    adapter_type = "FEATURE_EXTRACTION"
    modules = ()

    def __init__(self, pooling: Pooling) -> None:
        self.name = f"{self.loss_name}-{pooling}"
        self._pooling = pooling

    def model_options(self, config: PretrainedConfig) -> Mapping[str, Any]:
        """Without the layer that some families put on the first token: sentence encoders don't use it."""
        takes = inspect.signature(MODEL_MAPPING[type(config)]).parameters  # type: ignore[arg-type]
        return {"add_pooling_layer": False} if "add_pooling_layer" in takes else {}

    def logits(self, outputs: Any, mask: Tensor) -> Tensor:
        """Vectors [n, hidden] of the real tokens, fp32; virtual ones before the text don't count."""
        states: Tensor = outputs.last_hidden_state[:, -mask.shape[1] :].float()
        if self._pooling == "cls":
            return states[:, 0]
        real = mask.unsqueeze(2).to(states.dtype)
        mean: Tensor = (states * real).sum(dim=1) / real.sum(dim=1)
        return mean


class Contrast(_Pooled):
    """InfoNCE: the cross-entropy of an anchor's positive among the texts of the batch, in nats.

    Over the cosines times ``SCALE``, with the positives of the other anchors and all hard negatives as
    its negatives (van den Oord et al., "Representation Learning with Contrastive Predictive Coding",
    2018; Henderson et al., "Efficient Natural Language Response Suggestion for Smart Reply", 2017).
    """

    loss_name = "contrast"

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of vectors [n, hidden], and the role and fingerprint of each text [n, 2].

        A text that is the anchor itself, or a positive of the same anchor in another row, is left out.
        """
        roles, prints = labels.unbind(dim=1)
        if not labelled(roles).any():
            return logits.new_zeros(())
        places = [(roles == role).nonzero().squeeze(1) for role in (ANCHOR, POSITIVE, NEGATIVE)]
        anchors, positives = places[0], places[1]
        choices = torch.cat(places[1:])
        similar = SCALE * _cosines(logits[anchors], logits[choices])
        asked = prints[anchors, None]
        same_anchor = asked == prints[anchors]
        same_text = prints[positives, None] == prints[choices]
        right = same_anchor.float() @ same_text.float() > 0
        right |= asked == prints[choices]
        right.fill_diagonal_(False)
        own = torch.arange(len(anchors), device=logits.device)
        return cross_entropy(similar.masked_fill(right, -torch.inf), own)


class Cosent(_Pooled):
    """CoSENT: of any two pairs of texts, the one with the higher score is to have the higher cosine.

    ln(1 + Σ exp(λ (cosⱼ − cosᵢ))) over the pairs i, j of the batch with yᵢ > yⱼ, λ = ``SCALE`` (Su,
    "CoSENT: A more efficient sentence vector scheme than Sentence-BERT", 2022).
    """

    loss_name = "cosent"

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of vectors [n, hidden] and scores [n]; a score is that of an input and of the next one."""
        first = labelled(labels).nonzero().squeeze(1)
        cosines = SCALE * cosine_similarity(logits[first].float(), logits[first + 1].float())
        scores = labels[first]
        wrong = (cosines - cosines[:, None])[scores[:, None] > scores]
        return torch.cat((cosines.new_zeros(1), wrong)).logsumexp(dim=0)


def _cosines(left: Tensor, right: Tensor) -> Tensor:
    """[n, m] of vectors [n, hidden] and [m, hidden], in fp32 whatever the rest is computed in."""
    with torch.autocast(left.device.type, enabled=False):
        return normalize(left.float(), dim=1) @ normalize(right.float(), dim=1).T
