"""What a model must beat to be worth its cost: a constant answer, and a simple rule about words."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from strop.tasks import IGNORED, Example, Floats, Outputs, Span, Task
from strop.tasks.question_answering import ALWAYS
from strop.tasks.spans import LONGEST

from .batches import EncodedSplit
from .on_demand import Picked
from .scores import Scores

FEW = 1000
WORDS = r"\w+|[^\w\s]"
"""Words and signs, so that no text is empty, whatever its script."""
LEARNT = 100_000
"""Training texts that a rule about words learns from, at most: scikit-learn holds all of them."""
TERMS = 4096
"""Of the most frequent words a vector has a place; the vectors of a split are held whole."""
_SENTENCE = re.compile(r"[^.!?。！？]+")


def score_baselines(
    task: Task, train: Sequence[Example], held_out: Sequence[Example], labels: Sequence[str]
) -> dict[str, Mapping[str, float]]:
    """The task's metrics on ``held_out`` of each baseline, having learnt from ``train``.

    Of more than ``LEARNT`` texts it learns from as many, evenly spread; its name then says so.
    """
    note = ""
    if len(train) > LEARNT:
        train = Picked(train, np.linspace(0, len(train) - 1, LEARNT))
        note = f", of {LEARNT:,} texts"
    make: Callable[..., Mapping[str, Any]] = _of_texts
    if task.windowed:
        make = _of_contexts
    elif task.pooling:
        make = _of_vectors
    elif task.per_token:
        make = _of_words
    words: list[Any] = [task.words(example) for example in held_out]
    if task.windowed:
        words = [[one] for one in words]  # a context is one window here
    return {
        f"{name}{note}": Scores.of(task, outputs, words, held_out, labels).metrics
        for name, outputs in make(task, train, held_out, labels).items()
    }


def token_frequencies(train: EncodedSplit, held_out: EncodedSplit, vocabulary: int) -> Outputs:
    """``COUNTS`` of each held-out text if each token were as likely as it is frequent in training.

    One is added to each count, or an unseen token would be impossible (Laplace's rule of succession).
    """
    counts = np.ones(vocabulary)
    for item, spans in zip(train.items, train.offsets, strict=True):
        for token, label, (start, stop) in zip(item["input_ids"], item["labels"], spans, strict=True):
            if start < stop:  # a special token stands for no characters
                counts[token if label == IGNORED else label] += 1
    nats = np.log(counts.sum()) - np.log(counts)
    likeliest = counts.argmax()
    rows = []
    for item in held_out.items:
        told = np.array([label for label in item["labels"] if label != IGNORED], dtype=int)
        hits = told == likeliest
        rows.append((nats[told].sum(), len(told), hits.sum(), len(told) > 0 and hits.all()))
    return np.array(rows, dtype=np.float32)


def _of_texts(
    task: Task, train: Sequence[Example], held_out: Sequence[Example], labels: Sequence[str]
) -> dict[str, Sequence[Floats]]:
    """The mean target of all texts, and TF-IDF with the linear model that fits such targets."""
    targets = np.array([task.target(example, (), labels) for example in train])
    linear: Any
    if targets.dtype.kind == "i":
        constant, name = np.bincount(targets, minlength=len(labels)) / len(targets), "majority class"
        linear, method, how = LogisticRegression(max_iter=2000, C=4), "predict_proba", "logistic regression"
    elif targets.ndim == 2:
        constant, name = targets.mean(axis=0), "labels of most texts"
        linear = OneVsRestClassifier(LogisticRegression(max_iter=2000, C=4))
        method, how = "predict_proba", "logistic regression"
    else:
        constant, name = targets.mean(keepdims=True), "mean score"
        linear, method, how = Ridge(), "predict", "ridge regression"
    terms = TfidfVectorizer(
        ngram_range=(1, 2),
        sublinear_tf=True,
        # In few texts hardly a term comes twice.
        min_df=1 if len(train) < FEW else 2,
        token_pattern=WORDS,
    )
    pipeline = make_pipeline(terms, linear).fit([_text(example) for example in train], targets)
    found = getattr(pipeline, method)([_text(example) for example in held_out])
    return {
        name: [constant.astype(np.float32)] * len(held_out),
        f"TF-IDF + {how}": list(np.asarray(found, dtype=np.float32).reshape(len(held_out), -1)),
    }


def _text(example: Example) -> str:
    return example.text if example.pair is None else f"{example.text} {example.pair}"


def _of_vectors(
    task: Task, train: Sequence[Example], held_out: Sequence[Example], labels: Sequence[str]
) -> dict[str, list[Sequence[Floats]]]:
    """Texts are near each other that share words, the rare ones above all."""
    terms = TfidfVectorizer(
        sublinear_tf=True, token_pattern=WORDS, max_features=TERMS, dtype=np.float32
    ).fit([one.text for example in train for one in task.inputs(example)])
    return {
        "TF-IDF cosine": [
            list(terms.transform([one.text for one in task.inputs(example)]).toarray())
            for example in held_out
        ]
    }


def _of_words(
    task: Task, train: Sequence[Example], held_out: Sequence[Example], labels: Sequence[str]
) -> dict[str, Sequence[Floats]]:
    """For each word the target that it mostly has in training, and the first one for an unknown word."""
    seen: dict[str, Counter[int]] = defaultdict(Counter)
    for example in train:
        words = task.words(example)
        for word, target in zip(words, task.target(example, words, labels), strict=True):
            seen[example.text[slice(*word)]][target] += 1
    usual = {word: counts.most_common(1)[0][0] for word, counts in seen.items()}
    rows = np.eye(len(labels), dtype=np.float32)
    return {
        "each word's usual tag": [
            rows[[usual.get(example.text[slice(*word)], 0) for word in task.words(example)]]
            for example in held_out
        ]
    }


def _of_contexts(
    task: Task, train: Sequence[Example], held_out: Sequence[Example], labels: Sequence[str]
) -> dict[str, Sequence[list[Floats]]]:
    """What is new in the sentence most like the question and, where there may be none, never an answer."""
    found: dict[str, Sequence[list[Floats]]] = {
        "new words of the likest sentence": [[_span(task.words(one), one)] for one in held_out]
    }
    if tuple(labels) != ALWAYS:
        found["never an answer"] = [[_chosen(len(task.words(one)), 0, 0)] for one in held_out]
    return found


def _span(words: Sequence[Span], example: Example) -> Floats:
    """The longest run of words that the question lacks, in the sentence that shares most with it."""
    context = example.pair or ""
    texts = [context[slice(*word)].lower() for word in words]
    asked = set(re.findall(r"\w+", example.text.lower()))
    within = (
        [place for place, word in enumerate(words) if match.start() <= word[0] < min(word[1], match.end())]
        for match in _SENTENCE.finditer(context)
    )
    sentences = [places for places in within if places]
    if not sentences:
        return _chosen(len(words), 0, 0)
    likest = max(sentences, key=lambda places: len(asked.intersection(texts[place] for place in places)))
    runs: list[list[int]] = [[]]
    for place in likest:
        if texts[place] in asked or len(runs[-1]) == LONGEST:
            runs.append([])
        if texts[place] not in asked:
            runs[-1].append(place)
    longest = max(runs, key=len) or likest[:LONGEST]
    return _chosen(len(words), longest[0], longest[-1])


def _chosen(words: int, first: int, last: int) -> Floats:
    """The output [words, 2] that chooses a first and a last one."""
    rows = np.zeros((words, 2), dtype=np.float32)
    rows[[first, last], [0, 1]] = 1
    return rows
