"""Heads that judge a text or its tokens: classes, labels, a score."""

from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from .head import Head, labelled


class _TextHead(Head):
    model_class = "AutoModelForSequenceClassification"
    adapter_type = "SEQ_CLS"
    modules = ("classifier", "pooler", "pre_classifier")


class _OneChoice(Head):
    """One of the classes for each place: softmax and cross-entropy, in nats."""

    of_classes = True

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of logits [..., classes] and class ids [...]."""
        known = labelled(labels)
        if not known.any():
            return logits.new_zeros(())
        return cross_entropy(logits[known].float(), labels[known])


class OneClass(_OneChoice, _TextHead):
    """One of the classes for a text."""

    name = "one-class"
    problem_type = "single_label_classification"


class TokenClasses(_OneChoice):
    """One of the classes for each token."""

    name = "token-classes"
    model_class = "AutoModelForTokenClassification"
    adapter_type = "TOKEN_CLS"


class ManyLabels(_TextHead):
    """Each label on its own: sigmoid and binary cross-entropy, in nats."""

    name = "many-labels"
    problem_type = "multi_label_classification"

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of logits [n, labels] and 0 or 1 for each."""
        known = labelled(labels).all(dim=1)
        if not known.any():
            return logits.new_zeros(())
        return binary_cross_entropy_with_logits(logits[known].float(), labels[known])


class Score(_TextHead):
    """A number: the mean squared error."""

    name = "score"
    problem_type = "regression"

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of logits [n, 1] and numbers [n]."""
        known = labelled(labels)
        if not known.any():
            return logits.new_zeros(())
        return mse_loss(logits.squeeze(1)[known].float(), labels[known])
