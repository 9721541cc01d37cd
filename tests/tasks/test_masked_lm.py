"""Probabilities of a vocabulary: what is scored, what is told, and how far two answers are apart."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.tasks import TASKS, Example, softmax
from strop.tasks.masked_lm import TOLD, filled

TASK = TASKS["fill-mask"]
VOCABULARY = 300
rows = st.integers(0, 2**32).map(
    lambda seed: softmax(
        np.random.default_rng(seed).normal(scale=4, size=(5, VOCABULARY)).astype(np.float32)
    )
)


@given(rows, st.lists(st.integers(0, VOCABULARY - 1), min_size=5, max_size=5))
def test_accuracy_and_loss_are_those_of_the_hidden_tokens(found, tokens):
    examples = [Example("a [MASK]", float(token)) for token in tokens]
    kept = TASK.scored(found, examples)
    assert kept.shape == (5, 4)
    scores = TASK.score(TASK.tally(kept, (), examples, ()).sum(axis=0))
    assert scores["accuracy"] == np.mean(found.argmax(axis=1) == tokens)
    nats = -np.log(found[np.arange(5), tokens])
    assert scores["loss"] == pytest.approx(nats.mean(), rel=1e-5)
    assert scores["perplexity"] == pytest.approx(math.exp(nats.mean()), rel=1e-4)


def test_a_token_that_is_impossible_costs_much_but_not_everything():
    impossible = np.eye(1, VOCABULARY, dtype=np.float32)
    ((nats, *_),) = TASK.scored(impossible, [Example("[MASK]", 7.0)])
    assert 80 < nats < 100


@given(rows)
def test_what_is_told_is_the_likeliest_in_order(found):
    told = TASK.told(found)
    assert told.shape == (5, TOLD, 2)
    for row, words in zip(found, told, strict=True):
        tokens = words[:, 0].astype(int)
        assert len({*tokens.tolist()}) == TOLD
        np.testing.assert_array_equal(words[:, 1], np.sort(row)[::-1][:TOLD])
        np.testing.assert_array_equal(words[:, 1], row[tokens])


@pytest.mark.parametrize("size", [1, 3, TOLD])
def test_a_small_vocabulary_is_told_whole(size):
    assert TASK.told(softmax(np.zeros((2, size), dtype=np.float32)))[0, :, 0].tolist() == [*range(size)]


@given(rows)
def test_the_difference_of_two_answers_is_at_most_that_of_all_probabilities(found):
    told = TASK.told(found)
    for place in range(1, 5):
        gap = TASK.difference(told[0], told[place])
        assert gap == TASK.difference(told[place], told[0])
        assert 0 < gap <= np.abs(found[0] - found[place]).max()
    assert TASK.difference(told[0], told[0]) == 0


def test_the_same_probabilities_of_other_words_are_another_answer():
    one = TASK.told(softmax(np.arange(VOCABULARY, dtype=np.float32)[None] / 8))[0]
    other = TASK.told(softmax(np.arange(VOCABULARY, dtype=np.float32)[None, ::-1] / 8))[0]
    np.testing.assert_allclose(one[:, 1], other[:, 1], rtol=1e-5)
    assert TASK.difference(one, other) == pytest.approx(one[0, 1], rel=0.01)


def test_an_answer_that_is_no_number_is_out_of_any_tolerance():
    told = TASK.told(softmax(np.zeros((1, VOCABULARY), dtype=np.float32)))[0]
    broken = told.copy()
    broken[3, 1] = np.nan
    assert np.isnan(TASK.difference(broken, told))


def test_tensors_tell_the_best_word_and_a_short_list():
    words = [f"word{number}" for number in range(VOCABULARY)]
    told = TASK.told(softmax(np.arange(VOCABULARY, dtype=np.float32)[None]))
    assert TASK.tensor("word", told, (), words) == ["word299"]
    assert TASK.tensor("score", told, (), words) == pytest.approx([1 - 1 / math.e], rel=1e-4)
    (short,) = TASK.tensor("words", told, (), words)
    assert [one["word"] for one in json.loads(short)] == [f"word{number}" for number in range(299, 294, -1)]


def test_what_a_server_told_is_scored_by_its_best_word():
    results = [(("film", 0.5), ("story", 0.2)), (("a", 0.9),)]
    tally = TASK.tally_results(results, [Example("[MASK]", "film"), Example("[MASK]", "story")])
    assert TASK.score(tally.sum(axis=0))["accuracy"] == 0.5
    assert TASK.wire_metrics == ("accuracy",)


@pytest.mark.parametrize(
    ("text", "word", "whole"),
    [
        ("A [MASK] film.", "warm", "A warm film."),
        ("He was walk [MASK].", "##ing", "He was walking."),
        ("[MASK] film", "##a", "a film"),
        ("# [MASK]", "#", "# #"),
    ],
)
def test_a_word_takes_the_masks_place(text, word, whole):
    assert filled(text, "[MASK]", word) == whole
