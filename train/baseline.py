"""What a model must beat to be worth its cost: a constant answer, and a linear model of words."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline

from strop.tasks import Example, Floats, Task

from .scores import Scores

FEW = 1000
WORDS = r"\w+|[^\w\s]"
"""Words and signs, so that no text is empty, whatever its script."""
TERMS = 4096
"""Of the most frequent words a vector has a place; the vectors of a split are held whole."""


def score_baselines(
    task: Task, train: Sequence[Example], held_out: Sequence[Example], labels: Sequence[str]
) -> dict[str, Mapping[str, float]]:
    """The task's metrics on ``held_out`` of each baseline, having learnt from ``train``."""
    make = _of_vectors if task.pooled else _of_words if task.per_token else _of_texts
    words = [task.words(example) for example in held_out]
    return {
        name: Scores.of(task, outputs, words, held_out, labels).metrics
        for name, outputs in make(task, train, held_out, labels).items()
    }


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
