"""Options as they are typed: what a report lists, and what an error names."""

import pytest

from strop.options import all_as_typed, as_typed


@pytest.mark.parametrize(
    ("value", "typed"),
    [
        (0, "0"),
        (0.0, "0.0"),
        (2e-4, "0.0002"),
        (True, "on"),
        (("typos", "swap"), "typos swap"),
        ([1, 2], "1 2"),
        *((unset, None) for unset in (None, False, "", (), [], {})),
    ],
)
def test_a_value_is_as_it_is_typed_and_nothing_where_nothing_is(value: object, typed: str | None) -> None:
    assert as_typed(value) == typed


def test_options_stand_under_their_flags_and_those_without_value_are_left_out() -> None:
    settings = {
        "from_": "runs/x",
        "seed": 0,
        "teacher": None,
        "augment": (),
        "space": {"learning_rate": ["1e-4", "1e-3"]},
    }
    assert all_as_typed(settings) == {
        "--from": "runs/x",
        "--seed": "0",
        "--space.learning-rate": "1e-4 1e-3",
    }
