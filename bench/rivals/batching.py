"""How a rival is set up: what is tried before it is measured, so that it is measured at its best."""

from dataclasses import dataclass

from strop.host import usable_cores


@dataclass(frozen=True)
class Batching:
    """One setting of a server that gathers calls into batches, or doesn't."""

    texts: int = 1
    """Calls in a batch, at most."""
    seconds: float = 0.0
    """How long it waits for a batch to fill."""
    workers: int = 0
    """Processes that compute; 0 computes in threads of the server itself."""
    threads: int = 1
    """Threads that compute one batch."""

    @property
    def instances(self) -> int:
        """Batches that each process computes at the same time, so that every core has a thread."""
        return max(1, usable_cores() // self.threads // max(1, self.workers))

    def __str__(self) -> str:
        if self.texts == 1:
            return f"single texts, {self.instances} at once, threads for each: {self.threads}"
        where = f"{self.workers} workers" if self.workers else "no workers"
        return f"batches of {self.texts}, {1e3 * self.seconds:g} ms, {where}"


def alone() -> tuple[Batching, ...]:
    """No batches: a text for each core at the same time, or all cores on each text."""
    return tuple(Batching(threads=threads) for threads in dict.fromkeys((1, usable_cores())))


def batchings(*, workers: tuple[int, ...]) -> tuple[Batching, ...]:
    """Batches of 8, 16 and 32, each waited for 2 and 5 ms, in so many workers.

    That is the range in which a whole batch can be answered within 100 ms on a few cores.
    """
    return tuple(
        Batching(texts, seconds, count)
        for texts in (8, 16, 32)
        for seconds in (0.002, 0.005)
        for count in workers
    )
