"""What torch does for a task: the part of a model on top of its encoder, its logits and its loss.

A task names its head; what a label or an answer is, the task itself says, without torch.
"""

from collections.abc import Mapping

from .classification import ManyLabels, OneClass, Score, TokenClasses
from .embedding import Contrast, Cosent
from .head import Head, logits_of
from .language import CausalLM, MaskedLM
from .span import SpanOfTokens

HEADS: Mapping[str, Head] = {
    head.name: head
    for head in (
        OneClass(),
        ManyLabels(),
        Score(),
        TokenClasses(),
        Contrast("mean"),
        Contrast("cls"),
        Cosent("mean"),
        Cosent("cls"),
        SpanOfTokens(),
        CausalLM(),
        MaskedLM(),
    )
}

__all__ = ["HEADS", "Head", "logits_of"]
