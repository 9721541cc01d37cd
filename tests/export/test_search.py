"""The search: what it tries, what it leaves out, and that it goes on where it stopped."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.errors import InputError
from strop.export.build import build
from strop.export.bundle import Bundle
from strop.export.config import ExportConfig
from strop.export.precision import PRECISIONS
from strop.export.recipe import Recipe, Shape
from strop.export.search import HOPELESS, LEDGER_FILE, Ledger, Trial, next_shape, pareto
from strop.export.source import Source
from strop.tasks import IGNORED

INT8 = {"int8": PRECISIONS["int8"]}


class Steps(list):
    """The steps that a build announced."""

    def step(self, name):
        self.append(name)

    def advanced(self, done, total):
        pass


def trial(recipe="int8", score=0.9, speedup=2.0):
    return Trial(recipe, score, 1.0, (1.0, 1.0), 1.0, speedup, 1.0, 1, 1, 1.0)


trials = st.lists(st.builds(trial, score=st.floats(0, 1), speedup=st.floats(0.1, 10)), min_size=1)


@given(trials)
def test_nothing_beats_what_is_on_the_front_and_something_there_beats_or_equals_the_rest(found):
    front = pareto(found)

    def beats(one, other):
        return one.score >= other.score and one.cost <= other.cost

    for one in front:
        assert not any(beats(other, one) and other not in front for other in found if other != one)
    assert all(any(beats(one, other) for one in front) for other in found)
    assert [one.cost for one in front] == sorted(one.cost for one in front)


ORDER = [Shape(layers=layers, ffn=ffn) for layers in (12, 8, 6, 4) for ffn in (None, 75, 50, 25)]


@given(st.integers(0, len(ORDER)))
def test_the_smallest_good_shape_is_found_by_halving_and_then_the_larger_ones_are_tried(good):
    tried = {}
    # Near misses: what is far below the gate would take the shapes within it along.
    shares = [1.0 if place < good else 0.985 for place in range(len(ORDER))]
    while shape := next_shape(ORDER, tried, 0.99):
        tried[shape] = shares[ORDER.index(shape)]
    assert set(tried) == set(ORDER)
    if good > 0:
        assert list(tried).index(ORDER[good - 1]) <= math.log2(len(ORDER))


def test_what_is_within_a_lost_shape_is_not_tried():
    lost = {Shape(layers=8): 0.9}
    tried = dict(lost)
    while shape := next_shape(ORDER, tried, 0.99):
        assert not shape.within(Shape(layers=8))
        tried[shape] = 1.0
    assert set(tried) == {Shape(layers=8), *(one for one in ORDER if one.layers == 12)}


@pytest.fixture
def run(tiny_run, tmp_path):
    """The tiny run, with a place of its own for what a search writes."""
    copy = tmp_path / "run"
    copy.mkdir()
    for path in tiny_run.iterdir():
        (copy / path.name).symlink_to(path)
    return copy


def test_a_search_ships_the_front_and_a_second_one_goes_on_from_the_ledger(run, tmp_path):
    config = ExportConfig(run, out=tmp_path / "one", search=True, minutes=5, recover=1, gate=0.5)
    steps = Steps()
    report = build(config, steps, INT8)
    tried = {one.recipe for one in report.trials}
    assert {"fp32", "int8"} <= tried
    assert all(one.peak_bytes > one.bytes for one in report.trials)
    assert {str(Recipe.parse(recipe, ("int8",)).shape) for recipe in tried} >= {"ffn50", "layers1"}
    assert {"teaching ffn50", "compressing to int8", "teaching layers1"} <= set(steps)
    shipped = {variant.name for variant in Bundle.open(tmp_path / "one").manifest.variants}
    assert shipped == {"fp32", *(one.recipe for one in pareto(report.trials) if one.share >= 0.5)}
    assert (tmp_path / "one" / "pareto.png").read_bytes().startswith(b"\x89PNG")
    written = (tmp_path / "one" / "report.md").read_text()
    assert all(f"| {recipe} |" in written for recipe in tried)

    again = Steps()
    second = build(ExportConfig(run, out=tmp_path / "two", search=True, recover=1, gate=0.5), again, INT8)
    assert {one.recipe: one for one in second.trials} == {one.recipe: one for one in report.trials}
    assert not any(step.startswith(("teaching", "compressing", "measuring layers")) for step in again)


def test_a_search_without_time_measures_the_reference_and_ships_it(run, tmp_path):
    config = ExportConfig(run, out=tmp_path / "one", search=True, minutes=1e-9, recover=0)
    report = build(config, Steps(), INT8)
    assert [one.recipe for one in report.trials] == ["fp32"]
    assert [one.variant.name for one in report.candidates] == ["fp32"]


def test_a_form_far_below_the_gate_is_not_cut_further(run, tmp_path):
    config = ExportConfig(run, out=tmp_path / "one", search=True, recover=0, gate=1.0)
    report = build(config, Steps(), INT8)
    assert any(one.share < 1 - HOPELESS for one in report.trials)
    bad = [one.recipe for one in report.trials if one.share < 1 - HOPELESS]
    shapes = [Recipe.parse(recipe, ("int8",)).shape for recipe in bad]
    assert not any(one.within(other) for one in shapes for other in shapes if one != other != Shape())


def test_a_ledger_line_that_was_cut_off_is_as_if_it_had_never_been(tmp_path):
    ledger = Ledger(tmp_path)
    ledger.add(trial("fp32"))
    ledger.add(trial("int8"))
    path = tmp_path / LEDGER_FILE
    path.write_text(path.read_text()[:-30])
    assert list(Ledger(tmp_path).trials) == ["fp32"]
    Ledger(tmp_path).add(trial("w8"))
    assert set(Ledger(tmp_path).trials) == {"fp32", "w8"}


def test_unlabelled_texts_are_lessons_without_a_class(run, tmp_path):
    path = tmp_path / "more.jsonl"
    path.write_text('{"text": "a lovely film\u2028so superb"}\n{"text": "dreadful"}\n', encoding="utf-8")
    plain = Source.open(ExportConfig(run))
    more = Source.open(ExportConfig(run, unlabelled=path))
    assert list(more.lessons[: len(plain.lessons)]) == list(plain.lessons)
    assert [item["labels"] for (item,) in more.lessons[len(plain.lessons) :]] == [IGNORED] * 2


def test_an_unlabelled_text_that_is_none_is_named(run, tmp_path):
    path = tmp_path / "more.jsonl"
    path.write_text('{"text": "fine"}\n{"text": 7}\n')
    with pytest.raises(InputError, match=r"more\.jsonl line 2: 'text' is 7, not text"):
        Source.open(ExportConfig(run, unlabelled=path))
