"""Drift: the distances and what chance does to them, the windows, and what the page shows."""

import gc
import weakref
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry

from strop.export.bundle import Bundle, Encoded, Profiler, TextEncoder
from strop.export.bundle.manifest import TOKENIZER_FILE
from strop.serve.core import Answer, Query, Timings
from strop.serve.engines.instances import Instances
from strop.serve.observe.distances import show_distances
from strop.serve.observe.divergence import shannon_distance, stability_by_chance, stability_index
from strop.serve.observe.drift import Drift
from strop.serve.observe.windows import SlidingCounts
from strop.tasks import TASKS

counts = st.lists(st.integers(0, 1000), min_size=4, max_size=4)


@given(counts, counts, counts, st.integers(1, 20))
def test_distances_are_distances(one: list[int], two: list[int], three: list[int], times: int) -> None:
    assume(all(map(sum, (one, two, three))))
    assert stability_index(one, one) == pytest.approx(0)
    assert shannon_distance(one, [times * count for count in one]) == pytest.approx(0, abs=1e-7)
    assert stability_index(one, two) == pytest.approx(stability_index(two, one))
    assert stability_index(one, two) >= 0
    assert 0 <= shannon_distance(one, two) <= 1 + 1e-9
    detour = shannon_distance(one, three) + shannon_distance(three, two)
    assert shannon_distance(one, two) <= detour + 1e-9
    # An empty bin on both sides says nothing.
    assert stability_index([*one, 0], [*two, 0]) == pytest.approx(stability_index(one, two))


def test_the_distances_are_those_of_the_textbook() -> None:
    reference, found = [5000, 3000, 2000], [4000, 3000, 3000]
    by_hand = 0.1 * np.log(0.5 / 0.4) + 0.1 * np.log(0.3 / 0.2)
    assert stability_index(reference, found) == pytest.approx(by_hand, rel=1e-3)
    assert shannon_distance([7, 0], [0, 3]) == 1


@pytest.mark.parametrize(("n", "m"), [(500, 200), (5000, 300), (300, 2000)])
def test_chance_alone_passes_its_bound_about_once_in_a_thousand(n: int, m: int) -> None:
    random = np.random.default_rng(5)
    shares = [0.3, 0.25, 0.2, 0.15, 0.1]
    pairs = [(random.multinomial(n, shares), random.multinomial(m, shares)) for _ in range(3000)]
    passed = sum(stability_index(one, two) > stability_by_chance(one, two) for one, two in pairs)
    assert passed <= 12
    mean = np.mean([stability_index(one, two) for one, two in pairs])
    assert mean == pytest.approx(4 * (1 / n + 1 / m), rel=0.2)


def test_a_window_forgets_minute_by_minute() -> None:
    now = [1000.0 * 60]
    sliding = SlidingCounts(1, lambda: now[0])
    for _ in range(120):
        sliding.now()[0] += 1
        now[0] += 60
    now[0] -= 60
    assert sliding.over("5m")[0] == 6  # five whole minutes and the one under way
    assert sliding.over("1h")[0] == 61
    now[0] += 5 * 60
    assert sliding.over("5m")[0] == 1
    now[0] += 60
    assert sliding.over("5m")[0] == 0
    now[0] += 7200
    assert sliding.over("1h")[0] == 0


def encoded(*lengths: int) -> list[Encoded]:
    return [Encoded(np.arange(length), truncated=False) for length in lengths]


def named(profiler: Profiler, counts: Any) -> Iterator[tuple[str, str, int]]:
    for histogram, bins in profiler.split(counts).items():
        for name, count in zip(profiler.bins[histogram], bins.tolist(), strict=True):
            if count:
                yield histogram, name, count


def test_inputs_and_answers_fall_into_their_bins() -> None:
    encoder: Any = SimpleNamespace(unknown_id=1)
    profiler = Profiler(TASKS["text-classification"], ("bad", "good"), encoder)
    counts = profiler.empty()
    rows = np.array([[0.05, 0.95], [0.6, 0.4], [0.0, 1.0]], np.float32)
    profiler.count(encoded(4, 5, 600), rows, counts)
    assert list(named(profiler, counts)) == [
        ("tokens", "4", 1),
        ("tokens", "8", 1),
        ("tokens", "+Inf", 1),
        ("unknown", "0.01", 1),
        ("unknown", "0.2", 1),
        ("unknown", "0.5", 1),
        ("label", "bad", 1),
        ("label", "good", 2),
        ("confidence", "0.7", 1),
        ("confidence", "0.95", 1),
        ("confidence", "+Inf", 1),
    ]


def test_of_several_labels_each_is_counted_and_none_too() -> None:
    encoder: Any = SimpleNamespace(unknown_id=None)
    profiler = Profiler(TASKS["multi-label-classification"], ("a", "b"), encoder)
    counts = profiler.empty()
    profiler.count(encoded(3, 3), np.array([[0.9, 0.75], [0.1, 0.15]], np.float32), counts)
    assert list(named(profiler, counts))[1:] == [
        ("label", "a", 1),
        ("label", "b", 1),
        ("label", "none", 1),
        ("confidence", "0.8", 1),
        ("confidence", "0.9", 1),
    ]


def test_the_page_tells_drift_once_there_is_something_to_compare(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    manifest, registry = bundle.manifest, CollectorRegistry()
    model: Any = SimpleNamespace(
        name="tiny",
        version="3",
        task=bundle.task,
        labels=manifest.labels,
        encoder=TextEncoder(bundle.root / TOKENIZER_FILE, manifest.max_tokens),  # nobody else's
        profile=manifest.profile,
        instances=Instances([]),
    )
    drift = Drift(registry, lambda: 0.0)
    show_distances(registry)
    labels = {"model": "tiny", "version": "3", "of": "label", "window": "5m"}
    assert registry.get_sample_value("strop_drift_psi", labels) is None
    rows = np.array([[0.1, 0.1, 0.8]] * 40, np.float32)
    drift.answered(model, Query(["x"] * 40), Answer(rows, encoded(*[4] * 40), Timings(0, 0, 0, 0)))
    drift.publish()
    psi = registry.get_sample_value("strop_drift_psi", labels)
    assert psi == pytest.approx(stability_index([2, 1, 2], [0, 0, 40]))
    assert registry.get_sample_value("strop_drift_inputs", labels) == 40
    assert registry.get_sample_value("strop_drift_psi_by_chance", labels) == pytest.approx(
        stability_by_chance([2, 1, 2], [0, 0, 40])
    )
    held = weakref.ref(model.encoder)
    model.profile = {}
    drift.answered(model, Query(["x"]), Answer(rows[:1], encoded(4), Timings(0, 0, 0, 0)))
    assert registry.get_sample_value("strop_drift_inputs", labels) == 40
    model.instances.close()
    del model
    drift.publish()
    gc.collect()
    assert held() is None  # what is no longer served takes no memory here
