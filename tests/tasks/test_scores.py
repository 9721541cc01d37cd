"""Every task's score against the library that is known for it."""

import numpy as np
import pytest
import seqeval.metrics
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import pearsonr, spearmanr
from seqeval.scheme import IOB2
from sklearn.metrics import accuracy_score, f1_score, precision_recall_fscore_support

from strop.tasks import TASKS, Entity, Example

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


def same_scores(task, results, outputs, examples, labels, offsets=None):
    """Whether results score as the outputs do that they were told of."""
    told, wanted = (
        {name: float(value) for name, value in task.score(totals).items()}
        for totals in (
            task.tally_results(results, examples).sum(axis=0),
            total(task, outputs, examples, labels, offsets),
        )
    )
    assert told == pytest.approx(wanted)


@given(st.lists(st.tuples(classes, classes), min_size=1), st.integers(1, 3))
def test_told_labels_score_as_their_outputs(pairs, top_k):
    truth, found = zip(*pairs, strict=True)
    examples = [Example("text", NAMES[true]) for true in truth]
    outputs = np.full((len(found), 3), 0.2, dtype=np.float32)
    outputs[range(len(found)), found] = 0.6
    ranked = [sorted(zip(NAMES, row, strict=True), key=lambda one: -one[1]) for row in outputs.tolist()]
    same_scores(CLASSIFY, [row[:top_k] for row in ranked], outputs, examples, NAMES)


@given(st.lists(st.tuples(sets, st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3)), min_size=1))
def test_told_probabilities_of_many_labels_score_as_their_outputs(texts):
    truth, outputs = (np.array(one) for one in zip(*texts, strict=True))
    examples = [Example("text", tuple(np.array(NAMES)[row])) for row in truth]
    results = [list(zip(NAMES, row, strict=True)) for row in outputs.tolist()]
    same_scores(MANY, results, outputs.astype(np.float32), examples, NAMES)


@given(st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=2, max_size=30))
def test_told_scores_score_as_their_outputs(pairs):
    found, true = (np.array(one, dtype=np.float32) / 10 for one in zip(*pairs, strict=True))
    examples = [Example("text", float(y)) for y in true]
    same_scores(SCORE, found.tolist(), found[:, np.newaxis], examples, ("score",))


pieces = st.lists(st.tuples(tags, tags, st.integers(1, 3), st.booleans()), min_size=1, max_size=6)


def in_pieces(words, names):
    """``tagged``, but words are of several tokens with one type, which may begin with the blank before."""
    text = " ".join("abc"[:count] for *_, count, _ in words)
    true = TAG.read_label([true for true, *_ in words], text, None)
    offsets, guessed, start = [(0, 0)], ["O"], 0
    for _, found, count, blank in words:
        for place in range(count):
            first = start + place
            offsets.append((first - 1 if blank and first and not place else first, first + 1))
            guessed.append(found if not place or found == "O" else f"I-{found[2:]}")
        start += count + 1
    output = np.eye(len(names), dtype=np.float32)[[names.index(tag) for tag in (*guessed, "O")]]
    return Example(text, true), output, [*offsets, (0, 0)]


@given(st.lists(pieces, min_size=1, max_size=4))
def test_told_entities_score_as_their_outputs(texts):
    names = ("O", "B-LOC", "I-LOC", "B-PER", "I-PER")
    examples, outputs, offsets = zip(*(in_pieces(words, names) for words in texts), strict=True)
    results = [TAG.entities(one, spans, names) for one, spans in zip(outputs, offsets, strict=True)]
    same_scores(TAG, results, outputs, examples, names, offsets)


def test_a_word_counts_by_its_first_character():
    example = Example("Angela Merkel spoke", ("B-PER", "I-PER", "O"))
    right = [Entity("PER", 0, 13, 0.9)]
    cut = [Entity("PER", 0, 11, 0.9)]  # the end of the last word is tagged O
    late = [Entity("PER", 2, 13, 0.9)]  # and so is the beginning of the first
    scores = [
        TAG.score(TAG.tally_results([one], [example]).sum(axis=0))["f1"] for one in (right, cut, late)
    ]
    assert scores == [1, 1, 0]


def test_the_same_answer_has_the_same_verdict():
    assert CLASSIFY.verdict((("a", 0.6), ("b", 0.4))) == CLASSIFY.verdict((("a", 0.7),))
    assert MANY.verdict((("a", 0.6), ("b", 0.4))) == MANY.verdict((("a", 0.9),)) == {"a"}
    assert SCORE.verdict(0.12341) == SCORE.verdict(0.12342) != SCORE.verdict(0.1236)
    assert TAG.verdict([Entity("PER", 0, 3, 0.5)]) == TAG.verdict([Entity("PER", 0, 3, 0.6)])
    assert TAG.verdict([Entity("PER", 0, 3, 0.5)]) != TAG.verdict([])
