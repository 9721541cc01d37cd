"""The accuracy gate."""

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from strop.errors import InputError
from strop.export.gate import Verdict
from strop.tasks import TASKS

TASK = TASKS["text-classification"]
answers = arrays(bool, 40)
floors = st.floats(0.01, 1)


def judge(ours, reference, floor=0.99):
    """The verdict on which of the same texts a variant and the reference got right."""
    # Hits, guesses and truths of the one class that there is.
    tallies = [
        np.stack((right, np.ones(len(right)), np.ones(len(right))), 1) for right in (ours, reference)
    ]
    return Verdict.of(TASK, *tallies, floor, seed=0)


def right(share, count=1000):
    """Which of ``count`` texts are right, the first ones."""
    return np.arange(count) < share * count


@pytest.mark.parametrize(("accuracy", "passed"), [(0.792, True), (0.791, False), (0.9, True)])
def test_the_gate_is_a_share_of_the_reference(accuracy, passed):
    assert judge(right(accuracy), right(0.8)).passed is passed


def test_a_refusal_says_by_how_much_it_failed_and_how_sure_that_is():
    verdict = judge(right(0.76), right(0.8))
    low, high = verdict.interval
    assert str(verdict) == (
        f"refused with 95.00% of fp32's accuracy (95% interval {low:.2%} to {high:.2%}, 0% of resamples"
        " reach the gate), 4.00% below the gate"
    )


@given(answers, floors)
def test_the_reference_always_passes_its_own_gate_and_that_is_certain(reference, floor):
    assume(reference.any())
    verdict = judge(reference, reference, floor)
    assert verdict.passed
    assert verdict.interval == (1.0, 1.0)
    assert verdict.certainty == 1.0


def test_the_interval_is_as_wide_as_resampling_the_texts_makes_it():
    random = np.random.default_rng(0)
    reference = random.random(1500) < 0.8
    ours = np.where(random.random(1500) < 0.05, ~reference, reference)
    shares = []
    for _ in range(3000):
        drawn = random.integers(1500, size=1500)
        shares.append(ours[drawn].mean() / reference[drawn].mean())
    verdict = judge(ours, reference)
    assert verdict.interval == pytest.approx(np.quantile(shares, [0.025, 0.975]).tolist(), abs=2e-3)
    assert verdict.certainty == pytest.approx(np.mean(np.array(shares) >= 0.99), abs=0.05)


def test_disagreements_widen_the_interval_even_where_the_accuracy_is_equal():
    reference = right(0.8)
    swapped = np.roll(reference, 50)
    same = judge(reference, reference)
    other = judge(swapped, reference)
    assert same.score == other.score
    assert other.interval[0] < same.interval[0]
    assert other.certainty < 1


def test_a_reference_that_gets_nothing_right_is_no_measure():
    with pytest.raises(
        InputError, match=r"fp32 has accuracy 0\.0000 .* train it until it beats its baselines"
    ):
        judge(right(0), right(0))
