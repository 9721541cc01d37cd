"""Engines are exchanged while they compute."""

import threading
from collections.abc import Sequence

import pytest

from strop.export.bundle import Layout, PackedLayout
from strop.serve.core import IntArray
from strop.serve.engines.instances import Instances
from strop.tasks import Outputs

LAYOUT = PackedLayout(alignment=8, first_position=0, pad_token_id=0)


class NamedEngine:
    width = 1

    def __init__(self, provider: str, layout: Layout = LAYOUT) -> None:
        self.provider = provider
        self.layout = layout

    def run(self, sequences: Sequence[IntArray]) -> Outputs:
        raise NotImplementedError

    def close(self) -> None:
        raise NotImplementedError


def test_the_next_batch_runs_on_the_new_engine():
    old, new = NamedEngine("old"), NamedEngine("new")
    instances = Instances([old, old])
    assert instances.swap([new, new]) == [old, old]
    assert instances.provider == "new"
    with instances.engine(1) as engine:
        assert engine is new


def test_a_batch_under_way_keeps_its_engine_and_the_swap_waits_for_it():
    old, new = NamedEngine("old"), NamedEngine("new")
    instances = Instances([old])
    swapped = threading.Event()

    def swap() -> None:
        instances.swap([new])
        swapped.set()

    with instances.engine(0) as engine:
        swapper = threading.Thread(target=swap)
        swapper.start()
        assert engine is old
        assert not swapped.wait(0.05)
    swapper.join()
    assert swapped.is_set()


@pytest.mark.parametrize(
    "engines",
    [[], [NamedEngine("new", LAYOUT.padded())]],
    ids=["of another number", "of another layout"],
)
def test_engines_that_can_not_take_over_are_refused(engines: list[NamedEngine]):
    instances = Instances([NamedEngine("old")])
    with pytest.raises(ValueError, match="of the same layout"):
        instances.swap(engines)
    assert instances.provider == "old"
