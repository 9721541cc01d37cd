"""What language models have in common: how likely they find each token that they are to tell."""

from abc import abstractmethod
from collections.abc import Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from .counted import ratio
from .task import Example, Floats, Label, Outputs, Span, Tally, Task

COUNTS = ("nats", "tokens", "hits", "whole")
"""An output, summed over the tokens to tell: −ln p of each, how many they are, how many the model holds
for the likeliest, and whether all of them. Logits for 50,000 tokens at each place would be too many to
keep."""


class LanguageTask(Task):
    """Its tally is [n, COUNTS and 1 for each example that had something to tell]."""

    lower_is_better = ("loss", "perplexity")
    one_choice = False
    takes_pairs = False
    rewording = "never"
    tensors = MappingProxyType[str, str]({})

    @abstractmethod
    def read_label(self, value: object, text: str, pair: str | None) -> Label:
        """See ``Task``."""

    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """None: the outputs are the tokenizer's tokens."""
        return ()

    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> Any:
        """Not known without the tokens' ids: the task's head makes it."""
        raise TypeError(f"{self.name} has no targets but its own tokens")

    def tally(
        self,
        outputs: Outputs,
        offsets: Sequence[Sequence[Span]],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """See above."""
        counts = np.asarray(outputs, dtype=np.float64).reshape(len(examples), len(COUNTS))
        return np.concatenate((counts, counts[:, 1:2] > 0), axis=1)

    def score(self, totals: Tally) -> dict[str, Tally]:
        """Those of ``metrics`` among ``loss``, the mean of −ln p over tokens in nats, ``perplexity``, its
        exponential, ``accuracy``, the share of tokens that the model holds for the likeliest, and
        ``exact_match``, the share of examples in which it does so with all.
        """
        nats, tokens, hits, whole, examples = np.moveaxis(totals, -1, 0)
        loss = ratio(nats, tokens)
        found = {
            "loss": loss,
            "perplexity": np.exp(loss),
            "accuracy": ratio(hits, tokens),
            "exact_match": ratio(whole, examples),
        }
        return {name: found[name] for name in self.metrics}

    def tensor(
        self, name: str, outputs: Outputs, offsets: Sequence[Sequence[Span]], labels: Sequence[str]
    ) -> Floats | list[str]:
        """None as yet."""
        raise KeyError(name)

    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of examples in which both are wholly right, or neither."""
        ours, theirs = (np.asarray(one)[:, COUNTS.index("whole")] for one in (outputs, reference))
        return float(np.mean(ours == theirs))
