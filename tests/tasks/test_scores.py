"""Every task's score against the library that is known for it."""

import numpy as np
import pytest
import seqeval.metrics
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from strop.tasks import TASKS, Example

CLASSIFY, MANY, SCORE, TAG = (
    TASKS[name]
    for name in ("text-classification", "multi-label-classification", "regression", "token-classification")
)
NAMES = ("a", "b", "c")
classes = st.sampled_from(range(len(NAMES)))
sets = st.lists(st.booleans(), min_size=3, max_size=3)
tags = st.sampled_from(("O", "B-PER", "I-PER", "B-LOC", "I-LOC"))
sentences = st.lists(st.tuples(tags, tags), min_size=1, max_size=8)


def total(task, outputs, examples, labels, offsets=None):
    tally = task.tally(outputs, offsets or [()] * len(examples), examples, labels)
    assert len(tally) == len(examples)
    return tally.sum(axis=0)


@given(st.lists(st.tuples(classes, classes), min_size=1))
def test_classification_is_scored_as_sklearn_does(pairs):
    truth, found = zip(*pairs, strict=True)
    examples = [Example("text", NAMES[true]) for true in truth]
    totals = total(CLASSIFY, np.eye(3, dtype=np.float32)[list(found)], examples, NAMES)
    scores = CLASSIFY.score(totals)
    assert scores["accuracy"] == pytest.approx(accuracy_score(truth, found))
    assert scores["macro_f1"] == pytest.approx(f1_score(truth, found, average="macro", zero_division=0))
    rows = CLASSIFY.label_scores(totals, NAMES)
    expected = precision_recall_fscore_support(truth, found, labels=range(3), zero_division=0)
    for row, *columns in zip(rows, *expected, strict=True):
        assert row[1:] == pytest.approx(tuple(columns))


@given(st.lists(st.tuples(sets, sets), min_size=1))
def test_many_labels_are_scored_as_sklearn_does(pairs):
    truth, found = (np.array(one) for one in zip(*pairs, strict=True))
    examples = [Example("text", tuple(np.array(NAMES)[row])) for row in truth]
    scores = MANY.score(total(MANY, found.astype(np.float32), examples, NAMES))
    assert scores["micro_f1"] == pytest.approx(f1_score(truth, found, average="micro", zero_division=0))
    # sklearn's mean takes in labels that are neither true nor guessed.
    here = (truth | found).any(axis=0)
    each = f1_score(truth, found, average=None, zero_division=0)[here]
    assert scores["macro_f1"] == pytest.approx(each.mean() if here.any() else 0)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=3, max_size=30))
def test_regression_is_scored_as_scipy_does(pairs):
    found, true = (np.array(one, dtype=np.float64) / 10 for one in zip(*pairs, strict=True))
    outputs, examples = found[:, np.newaxis].astype(np.float32), [Example("text", y) for y in true]
    scores = SCORE.score(total(SCORE, outputs, examples, ("score",)))
    assert scores["mse"] == pytest.approx(((found - true) ** 2).mean(), abs=1e-5)
    if len(set(found)) > 1 and len(set(true)) > 1:
        assert scores["pearson"] == pytest.approx(pearsonr(found, true)[0], abs=1e-5)
        assert scores["spearman"] == pytest.approx(spearmanr(found, true)[0], abs=1e-5)
    else:
        assert scores["pearson"] == scores["spearman"] == 0


def tagged(words, names):
    """A sentence with its tags, an output that guesses others, and where the tokens are."""
    text = " ".join(f"w{place}" for place in range(len(words)))
    true = TAG.read_label([true for true, _ in words], text, None)
    stops = [len(" ".join(text.split(" ")[: place + 1])) for place in range(len(words))]
    offsets = [(0, 0), *((stop - 1, stop) for stop in stops), (0, 0)]
    guessed = ["O", *(found for _, found in words), "O"]
    output = np.eye(len(names), dtype=np.float32)[[names.index(tag) for tag in guessed]]
    return Example(text, true), output, offsets


@given(st.lists(sentences, min_size=1, max_size=5))
def test_entities_are_scored_as_seqeval_does(texts):
    names = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    examples, outputs, offsets = zip(*(tagged(words, names) for words in texts), strict=True)
    scores = TAG.score(total(TAG, outputs, examples, names, offsets))
    truth = [list(example.label) for example in examples]
    found = [
        list(TAG.read_label([found for _, found in words], example.text, None))
        for words, example in zip(texts, examples, strict=True)
    ]
    for name in ("f1", "precision", "recall"):
        score = getattr(seqeval.metrics, f"{name}_score")
        wanted = score(truth, found, mode="strict", scheme=IOB2, zero_division=0)
        assert scores[name] == pytest.approx(wanted)


@given(st.lists(st.tuples(classes, classes), min_size=2), st.data())
def test_a_resampled_tally_scores_as_the_resampled_texts_would(pairs, data):
    truth, found = (np.array(one) for one in zip(*pairs, strict=True))
    examples = [Example("text", NAMES[true]) for true in truth]
    outputs = np.eye(3, dtype=np.float32)[found]
    drawn = data.draw(st.lists(st.sampled_from(range(len(pairs))), min_size=1))
    tally = CLASSIFY.tally(outputs, (), examples, NAMES)[drawn].sum(axis=0)
    again = total(CLASSIFY, outputs[drawn], [examples[place] for place in drawn], NAMES)
    assert np.array_equal(tally, again)
