"""A new version beside the old one: it gets its share, is compared, and loses its share if it is worse."""

import contextlib
import json
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest

from strop.serve.config import ServeConfig
from strop.serve.inference.model import Model
from strop.serve.repository.router import comparable

Publish = Callable[..., Path]
Until = Callable[[Callable[[], Any]], Any]

ROUTES = """
[films]
aliases = {{ stable = "1", canary = "2" }}
weights = {{ stable = {stable}, canary = {canary} }}
shadow_share = {shadow}
[films.rollback]
min_calls = {calls}
max_p99_ratio = 10
"""


@pytest.fixture
def routes(tmp_path: Path) -> Callable[..., Path]:
    """Writes the routes of films."""

    def write(stable: int, canary: int, shadow: float = 0.0, calls: int = 10**6) -> Path:
        path = tmp_path / "routes.toml"
        path.write_text(ROUTES.format(stable=stable, canary=canary, shadow=shadow, calls=calls))
        return path

    return write


def versions(here: Any, calls: int, **facts: Any) -> Counter[str]:
    return Counter(here.classify("films", **facts).version for _ in range(calls))


def test_calls_are_shared_out_and_a_caller_with_a_key_stays(
    client, publish: Publish, routes: Callable[..., Path], until: Until
):
    publish("films", "2")
    here = client("--routes", str(routes(70, 30)), "--poll-seconds", "0.1")
    assert here.ready() == [("films", "1"), ("films", "2"), ("tweets", "9")]
    seen = versions(here, 200)
    assert 30 <= seen["2"] <= 90
    assert here.classify("films", "canary").version == "2"
    assert here.classify("films", "stable").version == "1"
    sticky = {len(versions(here, 5, metadata=[("x-route-key", f"shop-{i}")])) for i in range(10)}
    assert sticky == {1}
    assert here.server.metric("strop_route_share", model="films", version="2") == pytest.approx(0.3)

    routes(0, 1)
    until(lambda: versions(here, 20) == {"2": 20})
    Path(routes(1, 1)).write_text("[films]\nwieghts = 3")
    until(lambda: "wieghts" in here.server.errors.read_text())
    assert "repository lacks" not in here.server.errors.read_text()
    path = Path(routes(1, 1))
    path.write_text(path.read_text().replace("[films", "[fims"))
    until(lambda: "--routes names a version that the repository lacks" in here.server.errors.read_text())
    routes(0, 1)
    until(lambda: versions(here, 20) == {"2": 20})
    assert versions(here, 5) == {"2": 5}


def test_a_canary_that_answers_otherwise_is_rolled_back(
    client,
    publish: Publish,
    contrary_bundle: Path,
    routes: Callable[..., Path],
    until: Until,
    tmp_path: Path,
):
    publish("films", "2", bundle=contrary_bundle)
    here = client("--routes", str(routes(50, 50, shadow=1.0, calls=30)), "--poll-seconds", "0.1")
    began = time.monotonic()
    until(lambda: versions(here, 20) and here.server.metric("strop_rollbacks_total") == 1)
    assert time.monotonic() - began < 30
    assert versions(here, 30) == {"1": 30}
    assert here.classify("films", "canary").version == "2"  # who names it still gets it
    state, reason = here.index()["films", "2"]
    assert state == "READY"
    assert reason.startswith("gets no calls but those that name it: 0.0% of ")
    assert here.server.metric("strop_route_share", model="films", version="1") == 1
    assert here.server.metric("strop_shadow_agreed_total", model="films", version="2") == 0

    again = client("--routes", str(tmp_path / "routes.toml"), "--poll-seconds", "0.1")
    assert versions(again, 30) == {"1": 30}  # a server that starts again knows what the first one learnt
    assert again.index()["films", "2"] == (state, reason)
    assert "a version still gets no calls" in again.server.errors.read_text()

    publish("films", "3")
    text = routes(50, 50, shadow=1.0, calls=30).read_text()
    (routes(50, 50)).write_text(text.replace('canary = "2"', 'canary = "3"'))
    until(lambda: versions(here, 20)["3"] > 0)
    assert here.index()["films", "3"] == ("READY", "")
    assert json.loads((tmp_path / "routes.toml.rolled-back.json").read_text())["rolled_back"] == []


def test_a_canary_that_fails_or_is_slow_is_rolled_back(
    client, publish: Publish, slow_bundle: Path, routes: Callable[..., Path], until: Until
):
    publish("films", "2", bundle=slow_bundle)
    here = client("--routes", str(routes(50, 50, calls=10)), "--poll-seconds", "0.1")

    def asked() -> bool:
        for _ in range(10):
            with contextlib.suppress(grpc.RpcError):
                here.classify("films", timeout=0.02)
        return here.server.metric("strop_rollbacks_total", version="2") == 1

    until(asked)
    assert "of its" in here.index()["films", "2"][1]
    assert versions(here, 20) == {"1": 20}


def test_labels_in_another_order_are_compared_by_name(publish: Publish):
    turned = publish("films", "2", labels=["positive", "négatif", "neutral"])
    first, other = (Model.load(root, ServeConfig("")) for root in (turned.parent / "1", turned))
    rows = [np.array([0.1, 0.2, 0.7], np.float32)]
    ((ours, theirs),) = comparable(other, rows, first, rows)
    assert (ours.tolist(), theirs.tolist()) == (rows[0][[1, 2, 0]].tolist(), rows[0].tolist())
    assert comparable(other, rows, first, [*rows, *rows]) == []


def test_a_shadow_is_asked_unseen_and_compared(
    client, publish: Publish, contrary_bundle: Path, tmp_path: Path, until: Until
):
    publish("films", "2", bundle=contrary_bundle)
    path = tmp_path / "routes.toml"
    path.write_text("[films]\nweights = { 1 = 1 }\nshadow = '2'\nshadow_share = 1.0")
    here = client("--routes", str(path))
    assert versions(here, 64) == {"1": 64}
    until(lambda: here.server.metric("strop_shadow_texts_total", model="films", version="2") == 64)
    assert here.server.metric("strop_shadow_agreed_total", model="films", version="2") == 0
    assert here.server.metric("strop_texts_total", model="films", version="1") == 64
