"""Extractive question answering: where in a context the answer to a question stands, if it does.

The scores are SQuAD's: Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text",
EMNLP 2016, and of questions without an answer "Know What You Don't Know", ACL 2018.
"""

import json
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from .counted import ratio
from .task import IGNORED, Answers, Example, Floats, Outputs, Result, Span, Tally, Task, refuse_unknown
from .windows import FEWEST

ALWAYS = ("start", "end")
"""The outputs of a model whose every training question has an answer: it always gives one."""
MAYBE = ("start or none", "end or none")
"""Those of one that may say there is none: the first token stands for that."""
LONGEST = 30
"""Tokens of an answer at most, as usual for SQuAD."""
CANDIDATES = 20
"""Spans of a window that may be answers, likewise."""
_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)
_WORD = re.compile(r"\w+")


class Found(NamedTuple):
    """A stretch of a context that may be the answer."""

    start: int
    """The first character."""
    stop: int
    """The character after the last."""
    score: float
    """Its probability."""


class Reply(NamedTuple):
    """What a model says to a question."""

    answers: tuple[Found, ...]
    """The likeliest first; none where it holds that the context has no answer."""
    null_score: float
    """The probability that it has none."""


class QuestionAnswering(Task):
    """Two logits for each token: that an answer starts there, and that it ends there."""

    name = "question-answering"
    summary = "where in a context the answer to a question stands: SQuAD's answers, or none"
    text_column = "question"
    pair_column = "context"
    label_column = "answers"
    head = "span"
    one_choice = False
    per_token = True
    several = True
    windowed = True
    rewording = "never"
    fewest_tokens = FEWEST
    call = "Answer"
    tensors = MappingProxyType({"answer": "BYTES"})
    metrics = ("f1", "exact_match")

    def read_label(self, value: object, text: str, pair: str | None) -> Answers:
        """Where each answer starts, in characters, and its text; empty for a question without.

        Takes SQuAD's list of answers and the two lists that ``datasets`` makes of it.
        """
        found = []
        for start, answer in _read(value):
            if not _stands(answer, start, pair or ""):
                raise ValueError(
                    f"has {answer!r:.60}, which does not stand at character {start} of the context;"
                    " count characters, not bytes"
                )
            found.append((start, answer))
        return tuple(found)

    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """``ALWAYS``, or ``MAYBE`` if some question has no answer."""
        return ALWAYS if all(_answers(example) for example in examples) else MAYBE

    def refuse(self, parts: Mapping[str, Sequence[Example]]) -> None:
        """Also questions without an answer to a model that always gives one, or none with."""
        known = set(self.named(parts["train"]))
        if "answered" not in known:
            raise ValueError("no question of the train split has an answer; give some that have one")
        for name, part in parts.items():
            refuse_unknown(name, dict.fromkeys(self.named(part)), sorted(known))

    def named(self, examples: Iterable[Example]) -> Iterator[str]:
        """Whether each has an answer."""
        return ("answered" if _answers(example) else "unanswerable" for example in examples)

    def words(self, example: Example) -> list[Span]:
        """The words of the context, behind the place that stands for no answer."""
        return [(0, 0), *(match.span() for match in _WORD.finditer(example.pair or ""))]

    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> list[int]:
        """The first and the last token of the first answer; twice the first of all in a window without."""
        for start, answer in _answers(example)[:1]:
            start, stop = start + len(answer) - len(answer.lstrip()), start + len(answer.rstrip())
            real = [place for place, span in enumerate(offsets) if span[1] > span[0]]
            within = [place for place in real if offsets[place][0] < stop and offsets[place][1] > start]
            if within and offsets[real[0]][0] <= start and stop <= offsets[real[-1]][1]:
                return [within[0], within[-1]]
        return [0, 0]

    def no_target(self, offsets: Sequence[Span], labels: Sequence[str]) -> list[int]:
        """Neither."""
        return [IGNORED, IGNORED]

    def activate(self, logits: Floats) -> Floats:
        """As they are: a probability is a span's among those of all windows."""
        return logits

    def tally(
        self,
        outputs: Sequence[Sequence[Floats]],
        offsets: Sequence[Sequence[Sequence[Span]]],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """Of each question its F1, whether the answer matches exactly, and 1: [n, 3]."""
        inputs = zip(outputs, offsets, strict=True)
        return self.tally_results([self.reply(*one, labels) for one in inputs], examples)

    def tally_results(self, results: Sequence[Result], examples: Sequence[Example]) -> Tally:
        """Of ``Reply``s."""
        rows = zip(results, examples, strict=True)
        return np.array(
            [(*squad_scores(_said(reply, example), _truths(example)), 1) for reply, example in rows],
            dtype=np.float64,
        )

    def verdict(self, result: Result) -> Span | None:
        """The best answer without its score."""
        return result.answers[0][:2] if result.answers else None

    def score(self, totals: Tally) -> dict[str, Tally]:
        """``f1`` of the words that answer and truth share, and ``exact_match``: means over questions."""
        return {name: ratio(totals[..., place], totals[..., 2]) for place, name in enumerate(self.metrics)}

    def tensor(
        self,
        name: str,
        outputs: Sequence[Sequence[Floats]],
        offsets: Sequence[Sequence[Sequence[Span]]],
        labels: Sequence[str],
    ) -> list[str]:
        """``answer``: a JSON object with ``start``, ``stop`` and ``score``, null where there is no answer,
        and ``null_score``.
        """
        found = []
        for windows, spans in zip(outputs, offsets, strict=True):
            reply = self.reply(windows, spans, labels)
            best = reply.answers[0]._asdict() if reply.answers else dict.fromkeys(Found._fields)
            found.append(json.dumps({**best, "null_score": reply.null_score}))
        return found

    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of windows whose likeliest first and last token are the same."""
        pairs = zip(outputs, reference, strict=True)
        return float(np.mean([(ours.argmax(0) == theirs.argmax(0)).all() for ours, theirs in pairs]))

    def reply(
        self,
        windows: Sequence[Floats],
        offsets: Sequence[Sequence[Span]],
        labels: Sequence[str],
        count: int = 1,
    ) -> Reply:
        """The best ``count`` answers from the logits of a context's windows, each [tokens, 2].

        A span counts by the logit of its first token as start plus that of its last as end, in the window
        that likes it best; that there is no answer, by the same sum of the first token, in the window
        that likes it least. Probabilities are the softmax over the ``CANDIDATES`` best spans of every
        window and, of a model that may give none, that.
        """
        best: dict[Span, float] = {}
        for window, spans in zip(windows, offsets, strict=True):
            for span, logit in _candidates(window, spans):
                best[span] = max(logit, best.get(span, logit))
        if not best:
            return Reply((), 1.0)
        none = min(float(window[0].sum()) for window in windows) if tuple(labels) == MAYBE else -np.inf
        ranked = sorted(best, key=lambda span: (-best[span], span))
        logits = np.array([none, *(best[span] for span in ranked)])
        weights = np.exp(logits - logits.max())
        null_score, *scores = (weights / weights.sum()).tolist()
        if none > logits[1]:
            return Reply((), null_score)
        likeliest = list(zip(ranked, scores, strict=True))[:count]
        return Reply(tuple(Found(*span, score) for span, score in likeliest), null_score)


def squad_scores(answer: str, truths: Sequence[str]) -> tuple[float, float]:
    """F1 and exact match of an answer, each the best over the true ones, by SQuAD's rules.

    Texts are compared in lower case, without punctuation and articles, word by word. No answer is the
    empty text, and where no true answer has a word, none is right.
    """
    given = normalised(answer)
    known = [words for truth in truths if (words := normalised(truth))] or [[]]
    return max(_f1(given, words) for words in known), float(given in known)


def normalised(text: str) -> list[str]:
    """The words of an answer that SQuAD compares."""
    return _ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split()


def _f1(given: Sequence[str], true: Sequence[str]) -> float:
    if not given or not true:
        return float(given == true)
    return 2 * (Counter(given) & Counter(true)).total() / (len(given) + len(true))


def _candidates(window: Floats, offsets: Sequence[Span]) -> Iterator[tuple[Span, float]]:
    """The best spans of one window, in no order, with their logits."""
    real = [place for place, (start, stop) in enumerate(offsets) if stop > start]
    if not real:
        return
    width = min(LONGEST, len(real))
    starts, ends = window[real].T
    # Row i, column d: from token i to token i + d.
    padded = np.pad(ends, (0, width - 1), constant_values=-np.inf)
    logits = starts[:, np.newaxis] + np.lib.stride_tricks.sliding_window_view(padded, width)
    count = min(CANDIDATES, logits.size)
    for place in np.argpartition(logits, -count, axis=None)[-count:].tolist():
        first, further = divmod(place, width)
        if first + further < len(real):
            span = offsets[real[first]][0], offsets[real[first + further]][1]
            yield span, float(logits[first, further])


def _stands(answer: object, start: object, context: str) -> bool:
    """Whether a context has an answer at a character."""
    if not isinstance(answer, str) or not isinstance(start, int) or isinstance(start, bool):
        return False
    return bool(answer) and start >= 0 and context.startswith(answer, start)


def _read(value: object) -> Iterator[tuple[Any, Any]]:
    """(start, text) of each answer, whatever they are."""
    if isinstance(value, Mapping):
        starts, texts = value.get("answer_start"), value.get("text")
        if not isinstance(starts, list) or not isinstance(texts, list) or len(starts) != len(texts):
            raise ValueError(f"is {value!r:.60}; give as many in answer_start as in text")
        yield from zip(starts, texts, strict=True)
    elif isinstance(value, list):
        for answer in value:
            fields = answer if isinstance(answer, Mapping) else {}
            yield fields.get("answer_start"), fields.get("text")
    else:
        raise ValueError(f"is {value!r:.60}; give a list of answers, empty for none")


def _answers(example: Example) -> Answers:
    assert isinstance(example.label, tuple)  # noqa: S101
    return example.label


def _said(reply: Reply, example: Example) -> str:
    """The best answer in words, empty for none."""
    return (example.pair or "")[slice(*reply.answers[0][:2])] if reply.answers else ""


def _truths(example: Example) -> list[str]:
    return [text for _, text in _answers(example)]
