"""The accuracy gate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.export.gate import Verdict

shares = st.floats(0.01, 1)


@pytest.mark.parametrize(("accuracy", "passed"), [(0.792, True), (0.7919, False), (0.9, True)])
def test_the_gate_is_a_share_of_the_reference(accuracy, passed):
    assert Verdict(accuracy, reference=0.8, floor=0.99).passed is passed


def test_a_refusal_says_by_how_much_it_failed():
    assert str(Verdict(0.76, reference=0.8, floor=0.99)) == (
        "refused with 95.00% of fp32's accuracy, 4.00% below the gate"
    )


@given(shares, shares)
def test_the_reference_always_passes_its_own_gate(accuracy, floor):
    assert Verdict(accuracy, accuracy, floor).passed


@given(shares, shares, shares, shares)
def test_more_accuracy_never_fails_where_less_passed(low, more, reference, floor):
    if Verdict(low, reference, floor).passed:
        assert Verdict(low + more, reference, floor).passed
