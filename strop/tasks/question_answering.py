"""Extractive question answering: where in a context the answer to a question stands, if it does."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any

import numpy as np

from .counted import ratio
from .spans import Found, Reply, best_answers
from .squad import squad_scores
from .task import IGNORED, Answers, Example, Floats, Outputs, Result, Span, Tally, Task, refuse_unknown
from .windows import FEWEST

ALWAYS = ("start", "end")
"""The outputs of a model whose every training question has an answer: it always gives one."""
MAYBE = ("start or none", "end or none")
"""Those of one that may say there is none: the first token stands for that."""
_WORD = re.compile(r"\w+")


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
        """The best ``count`` answers from the logits of a context's windows, as ``best_answers``."""
        return best_answers(windows, offsets, count, always=tuple(labels) != MAYBE)


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
