"""Masked language modelling: to tell the words that are hidden in a text. It needs no labels."""

import json
from collections.abc import Sequence
from types import MappingProxyType

import numpy as np

from .language import LanguageTask
from .task import Example, Floats, Label, Outputs, Result, Span, Tally

TOLD = 100
"""Tokens that are kept of a vocabulary of 30,000 to 250,000, and the most that a reply can have."""
SHORT_LIST = 5
"""Of them, where nobody says how many."""


class MaskedLM(LanguageTask):
    """Some of a text's tokens, from all the others: how an encoder gets to know the words of a field.

    What it was taught so is what a task with few labels then starts from (Gururangan et al., "Don't Stop
    Pretraining: Adapt Language Models to Domains and Tasks", 2020).

    An exported model is asked about texts with one mask each. Its output is the probabilities
    [vocabulary] of what is hidden, of which a server keeps the ``TOLD`` highest: token ids and
    probabilities, [TOLD, 2], the best first. Its ``labels`` are then the words that tokens stand for.
    """

    name = "fill-mask"
    summary = "words hidden in texts without labels: adapts an encoder to a field, before another task"
    label_column = None
    answer_column = "word"
    head = "masked-lm"
    metrics = ("accuracy", "loss", "perplexity")
    one_choice = True
    cuttable = False
    call = "Fill"
    tensors = MappingProxyType({"word": "BYTES", "score": "FP32", "words": "BYTES"})

    @property
    def wire_metrics(self) -> tuple[str, ...]:
        """A reply tells no probability of a word that it doesn't have."""
        return ("accuracy",)

    def read_label(self, value: object, text: str, pair: str | None) -> Label:
        """The word that a mask hides, as a reply tells it."""
        return self.read_text(value).strip()

    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> int:
        """The hidden token's id."""
        return int(example.label)  # type: ignore[arg-type]

    def scored(self, outputs: Outputs, examples: Sequence[Example]) -> Outputs:
        """``COUNTS`` [n, 4] of probabilities [n, vocabulary] for texts that are labelled with token ids."""
        rows = np.asarray(outputs)
        tokens = np.array([self.target(example, (), ()) for example in examples])
        right = np.maximum(rows[np.arange(len(rows)), tokens], np.finfo(np.float32).tiny)
        hits = (rows.argmax(axis=1) == tokens).astype(np.float32)
        return np.stack((-np.log(right), np.ones_like(hits), hits, hits), axis=1)

    def told(self, outputs: Outputs) -> Outputs:
        """[n, TOLD, 2], or fewer of a smaller vocabulary; equals in the vocabulary's order."""
        rows = np.asarray(outputs)
        count = min(TOLD, rows.shape[1])
        best = np.sort(np.argpartition(-rows, count - 1, axis=1)[:, :count], axis=1)
        found = np.take_along_axis(rows, best, axis=1)
        order = np.argsort(-found, axis=1, kind="stable")
        sides = (np.take_along_axis(one, order, axis=1) for one in (best, found))
        return np.stack(tuple(sides), axis=2).astype(np.float32)

    def difference(self, found: Floats, wanted: Floats) -> float:
        """Of the probabilities of the same tokens; of one that only one side has it is at least how far
        it is above the other's last.
        """
        ours, theirs = (dict(side.tolist()) for side in (found, wanted))
        lowest = [float(side[-1, 1]) for side in (found, wanted)]
        gaps = [abs(ours[token] - theirs[token]) for token in ours.keys() & theirs.keys()]
        gaps += [ours[token] - lowest[1] for token in ours.keys() - theirs.keys()]
        gaps += [theirs[token] - lowest[0] for token in theirs.keys() - ours.keys()]
        return float(np.max(gaps))

    def tally_results(self, results: Sequence[Result], examples: Sequence[Example]) -> Tally:
        """Of (word, score) pairs, the best first; nothing is known of −ln p."""
        hits = np.array(
            [
                self.verdict(result) == example.label
                for result, example in zip(results, examples, strict=True)
            ]
        ).astype(np.float64)
        ones = np.ones_like(hits)
        return np.stack((np.full_like(hits, np.nan), ones, hits, hits, ones), axis=1)

    def verdict(self, result: Result) -> str:
        """The likeliest word."""
        return str(result[0][0])

    def words_of(self, output: Floats, labels: Sequence[str], count: int) -> list[tuple[str, float]]:
        """The likeliest words of an output as ``told``, with their probabilities; at most ``TOLD``."""
        return [(labels[int(token)], score) for token, score in output[:count].tolist()]

    def tensor(
        self, name: str, outputs: Outputs, offsets: Sequence[Sequence[Span]], labels: Sequence[str]
    ) -> Floats | list[str]:
        """``word`` and ``score`` [n] of the likeliest, ``words`` [n] as JSON of the ``SHORT_LIST``."""
        if name == "score":
            return np.array([output[0, 1] for output in outputs], dtype=np.float32)
        found = [self.words_of(output, labels, SHORT_LIST) for output in outputs]
        if name == "word":
            return [words[0][0] for words in found]
        return [
            json.dumps([{"word": word, "score": score} for word, score in words], ensure_ascii=False)
            for words in found
        ]


def filled(text: str, mask: str, word: str) -> str:
    """The text with a word in the place of its mask; a piece such as ##ing is joined to what is before."""
    before, _, after = text.partition(mask)
    piece = word.removeprefix("##")
    return f"{before.rstrip() if piece != word else before}{piece}{after}"
