"""The engines that compute a model's batches at the same time."""

import contextlib
import threading
from collections.abc import Iterator, Sequence

from strop.export.bundle import Layout

from .engine import Engine, Rest, no_rest, warm_up


class Instances:
    """One engine for each batch that is computed at the same time, exchangeable while they do.

    Any of them may be the same object.
    """

    def __init__(self, engines: Sequence[Engine]) -> None:
        self._engines = list(engines)
        self._busy = [threading.Lock() for _ in engines]
        self.closed = False
        """Whether the engines are gone."""

    def __len__(self) -> int:
        """Batches that are computed at the same time."""
        return len(self._engines)

    @property
    def provider(self) -> str:
        """What the next batch runs on."""
        return self._engines[0].provider

    @property
    def layout(self) -> Layout:
        """How they take several texts at once."""
        return self._engines[0].layout

    @property
    def width(self) -> int:
        """Numbers in an output: one for each label, or a vector's."""
        return self._engines[0].width

    @contextlib.contextmanager
    def engine(self, number: int) -> Iterator[Engine]:
        """The engine of instance ``number``, which stays in its place while the block runs."""
        with self._busy[number]:
            yield self._engines[number]

    def swap(self, engines: Sequence[Engine]) -> list[Engine]:
        """Compute with these from the next batch on; returns the old ones once none is in use.

        Blocks while the batches under way are computed. ``ValueError`` unless there are as many and
        they take batches alike: what waits was measured out for that.
        """
        if len(engines) != len(self) or any(engine.layout != self.layout for engine in engines):
            raise ValueError("engines can only be swapped for as many of the same layout")
        old = list(self._engines)
        for number, engine in enumerate(engines):
            with self._busy[number]:
                self._engines[number] = engine
        return old

    def warm_up(self, budget: int, max_tokens: int, rest: Rest = no_rest) -> list[tuple[int, float]]:
        """Warm each engine up; (tokens, seconds) of the first one's batches."""
        first, *_ = [warm_up(engine, budget, max_tokens, rest) for engine in distinct(self._engines)]
        return first

    def close(self) -> None:
        """Give the engines' memory back; none may be in use any more."""
        self.closed = True
        for engine in distinct(self._engines):
            engine.close()


def distinct(engines: Sequence[Engine]) -> list[Engine]:
    """Each engine once, in order."""
    return list({id(engine): engine for engine in engines}.values())
