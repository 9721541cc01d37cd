"""The sequential test: how seldom it is wrong, and how soon it is right."""

import random
from collections.abc import Iterator

import pytest

from strop.bench.watch.surge import Event, Rules, Watch


def stream(seed: int, *parts: tuple[float, int]) -> Iterator[bool]:
    """So many texts for each share of bad ones."""
    chance = random.Random(seed)
    for share, count in parts:
        for _ in range(count):
            yield chance.random() < share


def events(watch: Watch, texts: Iterator[bool], rules: Rules) -> list[tuple[int, Event]]:
    found = ((place, watch.observe(rules, bad=bad)) for place, bad in enumerate(texts))
    return [(place, event) for place, event in found if event is not None]


@pytest.mark.parametrize("share", [0.0, 0.02, 0.1, 0.3, 0.6, 1.0])
def test_a_stream_that_never_changes_raises_no_more_alarms_than_promised(share: float) -> None:
    rules = Rules(false_alarm_every=2000)
    texts, alarms = 0, 0
    for seed in range(3):
        found = events(Watch(), stream(seed, (share, 12_000)), rules)
        alarms += sum(event is Event.SURGE for _, event in found)
        texts += 12_000
    # On average one in 2,000; of so few a Poisson number of mean 18 passes 31 in one of 500 cases.
    assert alarms <= 18 + 13


@pytest.mark.parametrize(
    ("before", "after", "within"), [(0.05, 0.25, 150), (0.1, 0.4, 100), (0.3, 0.7, 60)]
)
def test_a_surge_is_found_soon_told_once_and_told_to_be_over(
    before: float, after: float, within: int
) -> None:
    for seed in range(5):
        texts = stream(seed, (before, 1000), (after, 200), (before, 900))
        found = [(place, event) for place, event in events(Watch(), texts, Rules()) if place >= 1000]
        (start, first), (end, second), *_ = found  # later ones are chance: see above
        assert (first, second) == (Event.SURGE, Event.OVER)
        assert start < 1000 + within
        assert 1200 <= end < 1500


def test_a_share_that_stays_high_becomes_the_history() -> None:
    found = events(Watch(), stream(1, (0.1, 1000), (0.4, 8000)), Rules())
    assert [event for _, event in found] == [Event.SURGE, Event.SETTLED]
    assert found[1][0] - found[0][0] == 999


def test_without_a_history_there_is_no_alarm() -> None:
    assert not events(Watch(), iter([False] * 20 + [True] * 79), Rules(least=100))
