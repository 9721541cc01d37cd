"""Token classification: named stretches of a text, such as the people and places in it.

Labels are IOB2 tags of words. Every token of a word learns its tag, so that serving needs no words: a
text's answer is the spans that its tokens' tags make.
"""

import json
import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .counted import CountedTask, joined, micro_f1, ratio, thirds
from .iob2 import OUTSIDE, both_tags, entity_types, read_tags, stretches
from .task import IGNORED, Example, Floats, LabelScores, Outputs, Result, Span, Tally

_WORD = re.compile("[^ ]+")


class Entity(NamedTuple):
    """A named stretch of a text."""

    label: str
    start: int
    """The first character."""
    stop: int
    """The character after the last."""
    score: float
    """The mean probability of its tokens' tags."""


class TokenClassification(CountedTask):
    """Softmax over the tags, token by token."""

    name = "token-classification"
    summary = "named stretches of a text: tokens with IOB2 tags"
    text_column = "tokens"
    label_column = "tags"
    head = "token-classes"
    takes_pairs = False
    per_token = True
    rewording = "in place"
    call = "Tag"
    tensors = MappingProxyType({"entities": "BYTES"})
    metrics = ("f1", "precision", "recall")

    def read_text(self, value: object) -> str:
        """The words with a blank between them; none may be empty or hold a blank."""
        words = value.split() if isinstance(value, str) else value
        if not isinstance(words, list | tuple) or not all(isinstance(word, str) for word in words):
            raise ValueError(f"is {value!r:.60}; give a list of words")
        if not words:
            raise ValueError("is empty; give it words or remove the row")
        for word in words:
            if word.split() != [word]:
                raise ValueError(f"has the word {word!r:.60}; a word is not empty and has no blanks")
        return " ".join(words)

    def read_label(self, value: object, text: str, pair: str | None) -> tuple[str, ...]:
        """A tag for each word; an ``I-`` that continues nothing is read as the beginning that it is."""
        tags = value.split() if isinstance(value, str) else value
        if not isinstance(tags, list | tuple):
            raise ValueError(f"is {value!r:.60}; give a list of tags, one for each word")
        words = len(text.split(" "))
        if len(tags) != words:
            raise ValueError(f"has {len(tags)} tags for {words} words; give each word one")
        return read_tags(tags)

    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """O, then both tags of each type."""
        return both_tags(self.named(examples))

    def named(self, examples: Iterable[Example]) -> Iterator[str]:
        """The type of each entity."""
        return (tag[2:] for example in examples for tag in _tags(example) if tag.startswith("B-"))

    def words(self, example: Example) -> list[Span]:
        """The words of the text."""
        return [match.span() for match in _WORD.finditer(example.text)]

    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> list[int]:
        """The tag of each token's word; past the first token of a word ``B-`` becomes ``I-``."""
        number = {label: place for place, label in enumerate(labels)}
        words = _stops(example)
        tags = _tags(example)
        target, before = [], None
        for word in (_word_at(words, offset) for offset in offsets):
            if word is None:
                target.append(IGNORED)
                continue
            tag = tags[word]
            target.append(number[f"I-{tag[2:]}" if word == before and tag != OUTSIDE else tag])
            before = word
        return target

    def no_target(self, offsets: Sequence[Span], labels: Sequence[str]) -> list[int]:
        """None for any token."""
        return [IGNORED] * len(offsets)

    def guess(
        self, example: Example, output: Floats, offsets: Sequence[Span], labels: Sequence[str]
    ) -> tuple[tuple[str, ...], float]:
        """The tag of each word; 0 where a word was cut off."""
        first = _first_tokens(_stops(example), offsets)
        tags = [OUTSIDE if token is None else labels[int(output[token].argmax())] for token in first]
        sure = min(0.0 if token is None else float(output[token].max()) for token in first)
        return self.read_label(tags, example.text, None), sure

    def tally(
        self,
        outputs: Outputs,
        offsets: Sequence[Sequence[Span]],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """Entities by type, as seqeval counts them strictly: a hit has the same type and words.

        A word has the tag of its first token; one that was cut off is outside.
        """
        types = entity_types(labels)
        counts = np.zeros((len(examples), 3, len(types)))
        for row, output, spans, example in zip(counts, outputs, offsets, examples, strict=True):
            best = np.argmax(output, axis=1)
            guessed = [
                OUTSIDE if token is None else labels[best[token]]
                for token in _first_tokens(_stops(example), spans)
            ]
            found, true = set(stretches(guessed)), set(stretches(_tags(example)))
            for place, entities in enumerate((found & true, found, true)):
                for kind, *_ in entities:
                    row[place, types[kind]] += 1
        return joined(*np.moveaxis(counts, 1, 0))

    def tally_results(self, results: Sequence[Result], examples: Sequence[Example]) -> Tally:
        """Of entities: a word has the tag of its first character, which is that of its first token.

        Outputs know more in one case: where an entity breaks off inside a word, and another of its type
        begins with the next word, an ``I-`` there joins the two, which are told apart in results.
        """
        labels = both_tags({*self.named(examples), *(one.label for result in results for one in result)})
        words = [self.words(example) for example in examples]
        tags = [_tags_of(result, spans) for result, spans in zip(results, words, strict=True)]
        outputs = [
            np.array([[tag == one for tag in labels] for one in row], dtype=np.float32) for row in tags
        ]
        return self.tally(outputs, words, examples, labels)

    def verdict(self, result: Result) -> tuple[tuple[str, int, int], ...]:
        """The entities without their scores."""
        return tuple((one.label, one.start, one.stop) for one in result)

    def score(self, totals: Tally) -> dict[str, Tally]:
        """``f1``, ``precision`` and ``recall`` over the entities of all types together."""
        hits, guesses, truths = (part.sum(axis=-1) for part in thirds(totals))
        return {"f1": micro_f1(totals), "precision": ratio(hits, guesses), "recall": ratio(hits, truths)}

    def label_scores(self, totals: Tally, labels: Sequence[str]) -> list[LabelScores]:
        """How each type fares."""
        return super().label_scores(totals, list(entity_types(labels)))

    def tensor(
        self, name: str, outputs: Outputs, offsets: Sequence[Sequence[Span]], labels: Sequence[str]
    ) -> list[str]:
        """``entities``: for each text a JSON list of objects with the fields of ``Entity``."""
        rows = zip(outputs, offsets, strict=True)
        return [
            json.dumps([one._asdict() for one in self.entities(output, spans, labels)], ensure_ascii=False)
            for output, spans in rows
        ]

    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of tokens that get the same tag."""
        pairs = zip(outputs, reference, strict=True)
        return float(np.concatenate([ours.argmax(1) == theirs.argmax(1) for ours, theirs in pairs]).mean())

    def entities(self, output: Floats, offsets: Sequence[Span], labels: Sequence[str]) -> list[Entity]:
        """The spans of one text, in order, from its tokens' tags [tokens, tags]."""
        real = [place for place, span in enumerate(offsets) if span[1] > span[0]]
        best = output.argmax(axis=1)
        tags = [labels[best[place]] for place in real]
        scores = output.max(axis=1)
        return [
            Entity(
                kind,
                offsets[real[first]][0],
                offsets[real[last]][1],
                float(np.mean([scores[place] for place in real[first : last + 1]])),
            )
            for kind, first, last in stretches(tags)
        ]


def _tags_of(entities: Iterable[Entity], words: Sequence[Span]) -> list[str]:
    """The tags that words have by the entities over their first characters.

    An entity may begin with the blank before its first word.
    """
    tags, before = [], 0
    for start, stop in words:
        over = next((one for one in entities if one.start <= start < one.stop), None)
        tags.append(f"{'B' if over.start >= before else 'I'}-{over.label}" if over else OUTSIDE)
        before = stop
    return tags


def _tags(example: Example) -> tuple[str, ...]:
    assert isinstance(example.label, tuple)  # noqa: S101
    return example.label


def _stops(example: Example) -> list[int]:
    """The character after the last of each word."""
    return [match.end() for match in _WORD.finditer(example.text)]


def _word_at(words: Sequence[int], offset: Span) -> int | None:
    """The word of a token; None for a special one. A token may begin with the blank before its word."""
    start, stop = offset
    return bisect_left(words, stop) if stop > start else None


def _first_tokens(words: Sequence[int], offsets: Sequence[Span]) -> list[int | None]:
    """Of each word its first token; None for one that was cut off."""
    first: list[int | None] = [None] * len(words)
    for token in reversed(range(len(offsets))):
        if (word := _word_at(words, offsets[token])) is not None:
            first[word] = token
    return first
