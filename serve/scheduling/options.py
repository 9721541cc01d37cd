"""The options of ``strop serve`` that bound batches and the queue."""

import sys
from dataclasses import dataclass
from typing import Annotated, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.options import require_at_least

T = TypeVar("T")
GROUP = Group("What waits, and what is computed together", sort_key=2)
Option = Annotated[T, Parameter(group=GROUP)]


@dataclass(frozen=True, kw_only=True)
class SchedulingOptions:
    """What waits, and what is computed together."""

    batch_tokens: Option[int] = 0
    """Tokens in a batch at most, padding included; a longer text goes alone. 0 takes what suits the
    provider: 384 on a CPU, 8192 on a GPU. Batches grow to it only while more waits than the instances
    take in small ones. Fewer make calls under load wait less for the batch before them, more raise
    throughput a little, up to about 384 on x86."""
    batch_texts: Option[int] = 0
    """Texts in a batch at most; 0 sets no such bound, which is best where batches are packed."""
    max_padding: Option[float] = 0.25
    """The part of a padded batch that may be padding; texts of other lengths wait for another
    batch. 1 takes texts as they come. Packed batches have no such padding."""
    queue_texts: Option[int] = 1024
    """Texts that may wait. Once full, calls are refused at once with RESOURCE_EXHAUSTED: less
    keeps the wait short, more rides out bursts. One connection may hold half of them."""
    queue_tokens: Option[int] = 32768
    """Tokens that may wait; it is the bound that counts where texts are long."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, batch_tokens=0, batch_texts=0, max_padding=0, queue_texts=2, queue_tokens=1)
        if self.queue_tokens < 2 * self.batch_tokens:
            raise InputError(
                f"--queue-tokens is {self.queue_tokens}; it must be at least twice --batch-tokens,"
                f" {self.batch_tokens}"
            )
        if self.max_padding > 1:
            raise InputError(f"--max-padding is {self.max_padding}; it is a part, at most 1")

    def tokens_of_a_batch(self, usual: int) -> int:
        """Tokens in a batch at most, with 0 resolved: ``usual``, or what the queue leaves room for."""
        return self.batch_tokens or max(1, min(usual, self.queue_tokens // 2))

    @property
    def most_texts(self) -> int:
        """Texts in a batch at most, with 0 resolved."""
        return self.batch_texts or sys.maxsize
