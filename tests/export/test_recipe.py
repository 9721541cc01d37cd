"""Recipes as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.errors import InputError
from strop.export.recipe import REFERENCE, Recipe, Shape

PRECISIONS = ("int8", "w8")
parts = st.none() | st.integers(1, 12)
shapes = st.builds(
    Shape, layers=parts, heads=parts, ffn=st.none() | st.integers(1, 99), vocab=st.booleans()
)
recipes = st.builds(Recipe, shapes, st.sampled_from((REFERENCE, *PRECISIONS)))


@given(recipes)
def test_a_recipe_is_read_as_it_is_written(recipe):
    assert Recipe.parse(str(recipe), PRECISIONS) == recipe


def test_names():
    assert str(Recipe(Shape(layers=3, ffn=50), "int8")) == "layers3+ffn50+int8"
    assert str(Recipe(Shape(layers=3), REFERENCE)) == "layers3"
    assert str(Recipe(Shape(vocab=True), "int8")) == "vocab+int8"
    assert str(Recipe(Shape(), REFERENCE)) == "fp32"


@pytest.mark.parametrize(
    ("text", "step"),
    [
        ("int9", "int9"),
        ("layers0+int8", "layers0"),
        ("ffn100", "ffn100"),
        ("layers3+layers2", "layers2"),
        ("", ""),
    ],
)
def test_a_step_that_is_none_is_named(text, step):
    with pytest.raises(InputError, match=f"--recipes .*{step!r} is no step; .*int8, w8"):
        Recipe.parse(text, PRECISIONS)


@given(shapes, shapes, shapes)
def test_within_is_an_order_with_the_whole_model_on_top(one, two, three):
    assert one.within(one)
    assert one.within(Shape())
    if one.within(two) and two.within(three):
        assert one.within(three)
    if one.within(two) and two.within(one):
        assert one == two


@pytest.mark.parametrize("text", ["int8+layers3", "int8+int8"])
def test_a_precision_that_is_not_the_last_step_is_told_its_place(text):
    with pytest.raises(InputError, match=r"--recipes int8\+.*: int8 must be the last step, once"):
        Recipe.parse(text, PRECISIONS)
