"""A capture is alone on the GPU: nothing else is inside with it, and it waits for what is."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from strop.serve.engines.capturing import Sharing

DEADLINE = 30.0


def test_many_are_inside_together() -> None:
    sharing, all_inside = Sharing(), threading.Barrier(4)

    def enter() -> int:
        with sharing.together():
            return all_inside.wait(DEADLINE)

    with ThreadPoolExecutor(4) as threads:
        assert sorted(one.result() for one in [threads.submit(enter) for _ in range(4)]) == [0, 1, 2, 3]


def test_who_is_alone_waits_for_those_inside_and_goes_before_those_who_come_later() -> None:
    sharing, entered, leave = Sharing(), threading.Event(), threading.Event()
    order: list[str] = []

    def first() -> None:
        with sharing.together():
            entered.set()
            leave.wait(DEADLINE)
            order.append("first")

    def alone() -> None:
        with sharing.alone():
            order.append("alone")

    def later() -> None:
        with sharing.together():
            order.append("later")

    threads = [threading.Thread(target=first)]
    threads[0].start()
    entered.wait(DEADLINE)
    for target in (alone, later):
        threads.append(threading.Thread(target=target))
        threads[-1].start()
        while target is alone and not sharing.closed:  # until it waits for the first to leave
            threads[-1].join(0.001)
    leave.set()
    for thread in threads:
        thread.join(DEADLINE)
    assert order == ["first", "alone", "later"]


def test_nobody_is_ever_inside_with_who_is_alone() -> None:
    sharing, inside, met = Sharing(), [0], []
    guard = threading.Lock()

    def enter(number: int) -> None:
        with sharing.alone() if number % 5 == 0 else sharing.together():
            with guard:
                inside[0] += 1
                met.append((number % 5 == 0, inside[0]))
            with guard:
                inside[0] -= 1

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(enter, range(400)))
    assert len(met) == 400
    assert all(count == 1 for alone, count in met if alone)


def test_a_capture_that_fails_lets_the_others_in_again() -> None:
    sharing = Sharing()
    with pytest.raises(RuntimeError), sharing.alone():
        raise RuntimeError
    with pytest.raises(RuntimeError), sharing.together():
        raise RuntimeError
    with sharing.alone():
        assert sharing.closed
    assert not sharing.closed
