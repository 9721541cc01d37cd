"""Quotas as pure arithmetic: what a rate lets through, whatever is asked when."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.serve.core import Answer, Timings
from strop.serve.doors.keys import Key
from strop.serve.doors.ledger import Ledger
from strop.serve.doors.quota import DAY_SECONDS, Bucket, Day, Quota
from strop.serve.errors import QueueFullError, QuotaError

RATES = st.floats(0.01, 1e6)
STEPS = st.lists(st.tuples(st.floats(0, 10), st.floats(0.001, 1e4)), max_size=60)


@given(RATES, STEPS)
def test_in_any_time_a_bucket_lets_through_its_rate_one_burst_and_what_was_taken_last(rate, steps):
    bucket, now, passed = Bucket(rate, 0.0), 0.0, []
    for pause, amount in steps:
        now += pause
        if not bucket.wait(now):
            bucket.take(amount, now)
            passed.append((now, amount))
    for first in range(len(passed)):
        for last in range(first, len(passed)):
            through = sum(amount for _, amount in passed[first:last])
            assert through <= rate * (passed[last][0] - passed[first][0] + 1) * (1 + 1e-6) + 1e-6


@given(RATES, STEPS)
def test_whoever_waits_as_long_as_a_bucket_says_is_let_through(rate, steps):
    bucket, now = Bucket(rate, 0.0), 0.0
    for pause, amount in steps:
        now += pause
        bucket.take(amount, now)
    wait = bucket.wait(now)
    assert wait >= 0
    assert not bucket.wait(now + wait * (1 + 1e-9) + 1e-3)


def test_a_clock_that_goes_back_lets_nothing_flow():
    bucket = Bucket(1.0, 100.0)
    bucket.take(5, 100.0)
    before = bucket.wait(100.0)
    assert bucket.wait(50.0) == before
    assert bucket.wait(100.0) == before


@given(st.floats(0, 1e9), st.floats(0.01, 100))
def test_a_day_s_amount_is_there_again_at_midnight_utc(now, amount):
    day = Day()
    day.take(amount, now)
    wait = day.wait(amount, now)
    assert 0 < wait <= DAY_SECONDS
    assert (now + wait) % DAY_SECONDS == pytest.approx(0, abs=1e-3) or (
        now + wait
    ) % DAY_SECONDS == pytest.approx(DAY_SECONDS, abs=1e-3)
    assert not day.wait(amount, now + wait + 1)


@given(st.integers(1, 64), st.integers(1, 1000))
def test_workers_share_a_quota(workers, concurrent):
    share = Quota(100.0, 1000.0, concurrent, 24.0).share(workers)
    assert share.texts_per_second * workers == pytest.approx(100)
    assert share.dollars_per_day * workers == pytest.approx(24)
    assert 1 <= share.concurrent * workers <= max(concurrent, workers)


def test_texts_are_taken_before_and_tokens_after_the_answer():
    now = [0.0]
    ledger = Ledger(clock=lambda: now[0], now=lambda: now[0])
    account = ledger.of(Key("shop", quota=Quota(texts_per_second=10, tokens_per_second=100)))
    account.require_room()
    with account.using(30), pytest.raises(QuotaError, match="texts a second") as refused:
        account.require_room()
    assert refused.value.retry_milliseconds == 2000
    now[0] = 2.5
    account.took(600, 0.0)
    with pytest.raises(QuotaError, match="tokens a second"):
        account.require_room()


def test_texts_that_found_no_room_in_the_queue_are_given_back():
    account = Ledger(clock=lambda: 0.0).of(Key("shop", quota=Quota(texts_per_second=10)))
    with pytest.raises(QueueFullError), account.using(30):
        raise QueueFullError("the queue is full", 0.1)
    account.require_room()


def test_so_many_calls_may_be_under_way_together():
    account = Ledger().of(Key("shop", quota=Quota(concurrent=1)))
    with account.using(1), pytest.raises(QuotaError, match="1 calls of the key are under way"):
        account.require_room()
    account.require_room()


def test_dollars_are_the_engine_time_at_the_machine_s_price_and_outlive_a_new_quota():
    ledger = Ledger(dollars_per_engine_second=0.5, now=lambda: DAY_SECONDS - 60)
    answer = Answer([], [], Timings(0, 0, 0, 0), engine_seconds=4.0)
    key = Key("shop", quota=Quota(dollars_per_day=2.0))
    ledger.of(key).took(1, ledger.dollars(answer))
    with pytest.raises(QuotaError, match="dollars of today") as refused:
        ledger.of(key).require_room()
    assert refused.value.retry_milliseconds == 60_000
    with pytest.raises(QuotaError, match="dollars of today"):
        ledger.of(Key("shop", quota=Quota(dollars_per_day=2.0, concurrent=9))).require_room()
