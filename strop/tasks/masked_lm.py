"""Masked language modelling: to tell the words that are hidden in a text. It needs no labels."""

from .language import LanguageTask
from .task import Label


class MaskedLM(LanguageTask):
    """Some of a text's tokens, from all the others: how an encoder gets to know the words of a field.

    What it was taught so is what a task with few labels then starts from (Gururangan et al., "Don't Stop
    Pretraining: Adapt Language Models to Domains and Tasks", 2020).
    """

    name = "fill-mask"
    summary = "words hidden in texts without labels: adapts an encoder to a field, before another task"
    label_column = None
    head = "masked-lm"
    metrics = ("accuracy", "loss", "perplexity")
    served = False

    def read_label(self, value: object, text: str, pair: str | None) -> Label:
        """None is ever read."""
        raise TypeError(f"{self.name} has no labels")
