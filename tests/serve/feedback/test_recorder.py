"""What keeps answers never holds up a call."""

import sqlite3
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
from prometheus_client import CollectorRegistry

from strop.export.bundle import Encoded
from strop.feedback import FeedbackStore
from strop.serve.config import ServeConfig
from strop.serve.core import Answer, Query, Timings
from strop.serve.feedback.counts import FeedbackCounts
from strop.serve.feedback.entries import Sample
from strop.serve.feedback.recorder import WAITING_TEXTS, Recorder
from strop.tasks import TASKS

MODEL: Any = SimpleNamespace(
    name="tiny", version="3", task=TASKS["text-classification"], labels=("bad", "good")
)


def answer(*good: float) -> Answer:
    encoded = [Encoded(np.zeros(3, np.int64), truncated=False)] * len(good)
    rows = np.array([[1 - share, share] for share in good], np.float32)
    return Answer(rows, encoded, Timings(0, 0, 0, 0))


def test_while_the_disk_is_busy_calls_go_on_and_what_is_too_much_is_counted(tmp_path: Path) -> None:
    path, registry = tmp_path / "store.db", CollectorRegistry()
    config = ServeConfig(tmp_path, feedback=path, sample_share=1.0)
    recorder = Recorder(config, FeedbackCounts(registry))
    blocker = sqlite3.connect(path, isolation_level=None)
    blocker.execute("BEGIN IMMEDIATE")
    calls, longest = WAITING_TEXTS + 500, 0.0
    for number in range(calls):
        start = time.perf_counter()
        recorder.answered(MODEL, Query(["good film"], request_id=str(number)), answer(0.9))
        longest = max(longest, time.perf_counter() - start)
    recorder.answered(MODEL, Query(["x"], request_id="x" * 300), answer(0.9))
    recorder.answered(MODEL, Query(["nobody speaks of a shadow's answer"]), answer(0.9))
    assert longest < 0.5  # a busy machine's; waiting for the disk would take seconds
    blocker.execute("ROLLBACK")
    blocker.close()
    recorder.close()
    store = FeedbackStore.read_only(path)
    kept = len(list(store.stored()))
    store.close()
    dropped = registry.get_sample_value("strop_feedback_dropped_total")
    assert registry.get_sample_value("strop_feedback_sampled_total") == kept
    assert dropped is not None
    assert dropped >= 1
    assert kept + dropped == calls + 1


def test_uncertain_texts_and_a_share_of_the_others_are_sampled(tmp_path: Path) -> None:
    sample = Sample(0.1, 0.6, str)
    assert sample.takes("any", 0, 0.59)
    taken = [number for number in range(10_000) if sample.takes(str(number), 0, 0.9)]
    assert 900 < len(taken) < 1100
    assert taken == [number for number in range(10_000) if sample.takes(str(number), 0, None)]
    assert not any(Sample(0.0, 0.0, str).takes(str(number), 0, 0.0) for number in range(1000))
