"""The two tasks of vectors: scores against a plain reading of their definition, and what rows may hold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import spearmanr

from strop.tasks import TASKS, Example, by_example
from strop.tasks.embedding import fingerprint, unit

SEARCH, ALIKE = TASKS["sentence-embedding"], TASKS["sentence-similarity"]
texts = st.sampled_from("abcdef")
searches = st.lists(st.tuples(texts, texts), min_size=1, max_size=12)
# Whole numbers of equal length, so that equal cosines are equal to the last bit.
signs = st.lists(st.sampled_from((-1.0, 1.0)), min_size=4, max_size=4)


def embedded(task, examples, vector_of):
    """An output for each text of each example."""
    each = [task.inputs(example) for example in examples]
    return [[np.array(vector_of(one.text), dtype=np.float32) for one in some] for some in each]


def rank(vectors, examples, example):
    """The place of its positive among all, others that are as right not counted, equals before it."""
    also_right = {one.pair for one in examples if one.text == example.text} | {example.text}
    anchor = np.array(vectors[0][example.text])
    near = {text: anchor @ np.array(vectors[1][text]) for text in {one.pair for one in examples}}
    wrong = [text for text in near if text not in also_right]
    return 1 + sum(near[text] >= near[example.pair] for text in wrong)


@given(searches, st.tuples(*[st.fixed_dictionaries(dict.fromkeys("abcdef", signs))] * 2))
def test_recall_counts_the_wrong_texts_that_are_at_least_as_near(pairs, vectors):
    examples = [Example(anchor, None, positive) for anchor, positive in pairs]
    # A text as anchor and as positive may differ here, which makes the test the harder.
    outputs = [
        [np.array(vectors[role][text], dtype=np.float32) for role, text in enumerate(pair)]
        for pair in pairs
    ]
    tally = SEARCH.tally(outputs, (), examples, ("embedding",))
    ranks = np.array([rank(vectors, examples, example) for example in examples])
    scores = SEARCH.score(tally.sum(axis=0))
    assert list(scores) == list(SEARCH.metrics)
    for cut in (1, 5, 10):
        assert scores[f"recall_at_{cut}"] == pytest.approx((ranks <= cut).mean())
    assert scores["mrr"] == pytest.approx((1 / ranks).mean())


def test_one_vector_for_all_finds_nothing():
    examples = [Example(f"question {place}", None, f"answer {place}") for place in range(20)]
    for value in (1.0, 0.0, np.nan):
        outputs = embedded(SEARCH, examples, lambda text, value=value: [value] * 3)
        scores = SEARCH.score(SEARCH.tally(outputs, (), examples, ()).sum(axis=0))
        assert scores["recall_at_10"] == 0


@given(st.lists(st.tuples(signs, signs, st.integers(0, 5)), min_size=3, max_size=30))
def test_similarity_is_the_rank_correlation_of_the_cosines(rows):
    examples = [Example("one", float(score), "two") for *_, score in rows]
    outputs = [[np.array(side, dtype=np.float32) for side in sides] for *sides, _ in rows]
    scores = ALIKE.score(ALIKE.tally(outputs, (), examples, ()).sum(axis=0))
    cosines = [round(float(unit(a) @ unit(b)), 5) for a, b in outputs]
    wanted = [float(example.label) for example in examples]
    if len(set(cosines)) > 1 and len(set(wanted)) > 1:
        assert scores["spearman"] == pytest.approx(spearmanr(cosines, wanted)[0], abs=1e-6)
    else:
        assert scores["spearman"] == 0


@given(st.lists(st.lists(st.floats(-10, 10, width=32), min_size=3, max_size=3), min_size=1, max_size=9))
def test_a_texts_vector_is_the_mean_of_its_tokens_wherever_they_lie(rows):
    states = np.array(rows, dtype=np.float32)
    alone = SEARCH.of_input(states)
    assert np.allclose(alone, states.mean(axis=0), atol=1e-5)
    packed = np.concatenate((np.ones((5, 3), np.float32), states, states))
    _, *again = by_example(packed, (5, len(rows), len(rows)))
    assert all(np.array_equal(SEARCH.of_input(one), alone) for one in again)


def test_an_examples_inputs_say_what_each_text_is():
    with_negative = SEARCH.inputs(Example("anchor", "negative", "positive"))
    assert [(one.text, one.label) for one in with_negative] == [
        ("anchor", 0.0),
        ("positive", 1.0),
        ("negative", 2.0),
    ]
    assert len(SEARCH.inputs(Example("anchor", None, "positive"))) == 2
    role, mark = SEARCH.target(with_negative[1], (), ())
    assert (role, mark) == (1.0, fingerprint("positive"))
    assert float(np.float32(mark)) == mark


def test_what_teaches_nothing_is_refused():
    with pytest.raises(ValueError, match="is the positive itself"):
        SEARCH.read_label("same", "anchor", "same")
    same = {"train": [Example("a", None, "b"), Example("c", None, "b")]}
    with pytest.raises(ValueError, match="every positive of the train split is 'b'"):
        SEARCH.refuse(same)
    with pytest.raises(ValueError, match="every score of the train split is 1"):
        ALIKE.refuse({"train": [Example("a", 1.0, "b"), Example("c", 1.0, "b")]})


def test_vectors_agree_that_point_the_same_way():
    vectors = np.eye(3, dtype=np.float32)
    assert SEARCH.agreement(list(5 * vectors), list(vectors)) == 1
    assert SEARCH.agreement(vectors, vectors[[0, 2, 1]]) == pytest.approx(1 / 3)
