"""Text classification: one of several classes for a text or a pair of texts."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from .counted import CountedTask, joined, macro_f1, ratio, thirds
from .task import Example, Floats, Outputs, Result, Span, Tally, refuse_unknown


class TextClassification(CountedTask):
    """Softmax over the classes."""

    name = "text-classification"
    summary = "one class for a text, or for a pair of texts"
    head = "one-class"
    metrics = ("accuracy", "macro_f1")

    def read_label(self, value: object, text: str, pair: str | None) -> str:
        """A name, or a whole number."""
        if isinstance(value, int) and not isinstance(value, bool):
            return str(value)
        if value is None or (isinstance(value, str) and not value.strip()):
            raise ValueError("is empty; give it a class name or remove the row")
        if not isinstance(value, str):
            raise ValueError(f"is {value!r:.60}; a class is a name or whole number")
        return value

    def labels(self, examples: Sequence[Example]) -> tuple[str, ...]:
        """The class names, sorted."""
        return tuple(sorted({str(example.label) for example in examples}))

    def named(self, examples: Iterable[Example]) -> Iterator[str]:
        """The class of each."""
        return (str(example.label) for example in examples)

    def refuse(self, parts: Mapping[str, Sequence[Example]]) -> None:
        """Also what has one class, or a class with one example, which some split then lacks."""
        refuse_classes({name: Counter(self.named(part)) for name, part in parts.items()})

    def target(self, example: Example, offsets: Sequence[Span], labels: Sequence[str]) -> int:
        """The class's place among the labels."""
        return labels.index(str(example.label))

    def guess(
        self, example: Example, output: Floats, offsets: Sequence[Span], labels: Sequence[str]
    ) -> tuple[str, float]:
        """The likeliest class."""
        return labels[int(output.argmax())], float(output.max())

    def tally(
        self,
        outputs: Outputs,
        offsets: Sequence[Sequence[Span]],
        examples: Sequence[Example],
        labels: Sequence[str],
    ) -> Tally:
        """See ``CountedTask``."""
        classes = np.eye(len(labels))
        guesses = classes[np.argmax(outputs, axis=1)]
        truths = classes[[self.target(example, (), labels) for example in examples]]
        return joined(guesses * truths, guesses, truths)

    def tally_results(self, results: Sequence[Result], examples: Sequence[Example]) -> Tally:
        """Of (label, score) pairs, the best first."""
        told = [self.verdict(result) for result in results]
        labels = sorted({*told, *self.named(examples)})
        outputs = np.array([[label == best for label in labels] for best in told], dtype=np.float32)
        return self.tally(outputs, (), examples, labels)

    def verdict(self, result: Result) -> str:
        """The best label."""
        return str(result[0][0])

    def score(self, totals: Tally) -> dict[str, Tally]:
        """``accuracy``, and ``macro_f1``, which counts every class alike."""
        hits, _, truths = thirds(totals)
        return {"accuracy": ratio(hits.sum(axis=-1), truths.sum(axis=-1)), "macro_f1": macro_f1(totals)}

    def confusion(
        self, outputs: Outputs, examples: Sequence[Example], labels: Sequence[str]
    ) -> tuple[tuple[int, ...], ...]:
        """Counts [true class, guessed class]."""
        counts = np.zeros((len(labels), len(labels)), dtype=int)
        truths = [self.target(example, (), labels) for example in examples]
        np.add.at(counts, (truths, np.argmax(outputs, axis=1)), 1)
        return tuple(map(tuple, counts.tolist()))

    def agreement(self, outputs: Outputs, reference: Outputs) -> float:
        """The share of texts that get the same class."""
        return float(np.mean(np.argmax(outputs, axis=1) == np.argmax(reference, axis=1)))


def refuse_classes(counts: Mapping[str, Counter[str]]) -> None:
    """Raise ``ValueError`` when classes, counted by split, can't be learnt from the split ``train``."""
    total = sum(counts.values(), Counter[str]())
    if len(total) < 2:
        raise ValueError(f"every label is {next(iter(total))!r}; give two classes")
    for label, count in total.items():
        if count == 1:
            raise ValueError(f"class {label!r} has one example; give it more or remove it")
    for name, part in counts.items():
        refuse_unknown(name, part, sorted(counts["train"]))
