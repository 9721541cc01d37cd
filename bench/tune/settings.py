"""What can be tuned: a setting of ``strop serve``, and the grid of them worth trying."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from strop.options import flag

QUEUE_MARGIN = 4.0
"""At 1, the texts that just wait longer than the SLO would be refused: they are the hundredth that a
p99 allows, and a refusal is an error. Twice that, because one connection may hold half of a queue."""


@dataclass(frozen=True)
class Setting:
    """Options of ``strop serve``; what is ``None`` is left to its defaults."""

    instances: int | None = None
    threads: int | None = None
    batch_tokens: int | None = None
    queue_texts: int | None = None
    workers: int | None = None

    def options(self) -> dict[str, int]:
        """Those that are set, by the name that TOML and the command line know."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def words(self) -> list[str]:
        """The same for a command line."""
        return [word for name, value in self.options().items() for word in (flag(name), str(value))]

    def __str__(self) -> str:
        return " ".join(self.words()) or "the defaults"


DEFAULTS = Setting()


def grid(cores: int, budgets: Sequence[int]) -> list[Setting]:
    """For 1, 2, 4, … threads: instances for half of the cores, for all, and half as many again.

    More than the cores can pay because a batch that ends leaves its core idle until the next forms.
    The instances for all cores are also divided over 2, 4, … worker processes.
    """
    shapes: list[tuple[int, int, int | None]] = []
    for threads in _powers(cores):
        full = cores // threads
        half = max(1, full // 2)
        shapes += [(instances, threads, None) for instances in sorted({half, full, full + half})]
        shapes += [(full // workers, threads, workers) for workers in _powers(full)[1:]]
    return [
        Setting(instances, threads, budget, workers=workers)
        for instances, threads, workers in shapes
        for budget in sorted(set(budgets))
    ]


def queue_bound(rate: float, slo: float, workers: int | None = None) -> int:
    """Texts that may wait in each worker: those answered within four SLOs at ``rate`` texts a second.

    Whoever comes behind them would be late in any case, so refusing at once costs nothing and
    keeps an overload from making every call late. By Little's law, L = rate x wait.
    """
    return max(2, math.ceil(QUEUE_MARGIN * rate * slo / (workers or 1)))


def _powers(most: int) -> list[int]:
    """1, 2, 4, … up to ``most``."""
    return [2**power for power in range(most.bit_length())]
