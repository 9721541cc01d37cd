"""What torch does for a task: the part of a model on top of its encoder, its logits and its loss.

A task names its head; what a label or an answer is, the task itself says, without torch.
"""

from collections.abc import Mapping

from torch import Tensor, nn

from .classification import ManyLabels, OneClass, Score, TokenClasses
from .embedding import Contrast, Cosent
from .head import Head
from .span import SpanOfTokens

HEADS: Mapping[str, Head] = {
    head.name: head
    for head in (
        OneClass(),
        ManyLabels(),
        Score(),
        TokenClasses(),
        Contrast(),
        Cosent(),
        SpanOfTokens(),
    )
}


def logits_of(head: Head, model: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """What the head makes of a batch, whose ``labels``, if it has any, the model doesn't see."""
    inputs = {name: rows for name, rows in batch.items() if name != "labels"}
    return head.logits(model(**inputs), batch["attention_mask"])


__all__ = ["HEADS", "Head", "logits_of"]
