"""What every key has used, held against its quota."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..core import Answer
from ..errors import OverloadError, QuotaError
from .keys import Key
from .quota import Bucket, Day, Quota

CONCURRENT_RETRY_SECONDS = 0.1


class Account:
    """What one key uses; called on the event loop."""

    def __init__(self, clock: Callable[[], float], now: Callable[[], float]) -> None:
        self._clock = clock
        self._now = now
        self._under_way = 0
        self._quota = Quota()
        self._buckets: dict[str, Bucket] = {}
        self._day = Day()

    def hold_to(self, quota: Quota) -> None:
        """Go on under another quota; what was spent today stays spent."""
        if quota == self._quota:
            return
        self._quota = quota
        rates = {"texts": quota.texts_per_second, "tokens": quota.tokens_per_second}
        self._buckets = {name: Bucket(rate, self._clock()) for name, rate in rates.items() if rate}

    def require_room(self) -> None:
        """``QuotaError`` with the time to wait if something is used up."""
        quota = self._quota
        if quota.concurrent is not None and self._under_way >= quota.concurrent:
            raise QuotaError(
                f"{self._under_way} calls of the key are under way, as many as may be",
                CONCURRENT_RETRY_SECONDS,
            )
        now = self._clock()
        for name, bucket in self._buckets.items():
            if wait := bucket.wait(now):
                raise QuotaError(f"the key's {name} a second are used up", wait)
        if quota.dollars_per_day is not None and (
            wait := self._day.wait(quota.dollars_per_day, self._now())
        ):
            raise QuotaError("the key's dollars of today are used up", wait)

    @contextmanager
    def using(self, texts: int) -> Iterator[None]:
        """Take ``texts`` and a place; the texts are given back if there was no room for them."""
        self._under_way += 1
        self._take("texts", texts)
        try:
            yield
        except OverloadError:
            self._take("texts", -texts)
            raise
        finally:
            self._under_way -= 1

    def took(self, tokens: int, dollars: float) -> None:
        """Take what is known only when a call was answered."""
        self._take("tokens", tokens)
        self._day.take(dollars, self._now())

    def _take(self, name: str, amount: float) -> None:
        if name in self._buckets:
            self._buckets[name].take(amount, self._clock())


class Ledger:
    """The accounts of all keys, from the start of the process on."""

    def __init__(
        self,
        workers: int = 1,
        dollars_per_engine_second: float = 0.0,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        """Grant this process' part of a quota, as one of ``workers``.

        ``clock`` is monotonic, ``now`` since 1970 UTC; both in seconds.
        """
        self._workers = workers
        self._price = dollars_per_engine_second
        self._clock = clock
        self._now = now
        self._accounts: dict[str, Account] = {}

    def of(self, key: Key) -> Account:
        """The account of a key, held to its quota as it is now."""
        if (account := self._accounts.get(key.id)) is None:
            account = self._accounts[key.id] = Account(self._clock, self._now)
        account.hold_to(key.quota.share(self._workers))
        return account

    def dollars(self, answer: Answer) -> float:
        """What an answer took of the machine's price."""
        return answer.engine_seconds * self._price
