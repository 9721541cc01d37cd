"""Rivals: what is declared of them, how one is started and stopped, and the comparison end to end."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import psutil
import pytest
import uvloop

from strop.bench.client import Client
from strop.bench.endpoint import Endpoint
from strop.bench.protocols import OpenInferenceWire
from strop.bench.rivals.batching import Batching
from strop.bench.rivals.catalogue import RIVALS
from strop.bench.rivals.config import RivalName
from strop.bench.rivals.process import Material, started
from strop.bench.served import Served
from strop.errors import StropError
from strop.export.bundle import Bundle

Strop = Callable[..., int]
APPS = Path(__file__).parents[2] / "bench" / "rivals" / "apps"


def test_the_option_names_every_rival_and_each_has_an_app_and_a_call() -> None:
    assert set(RIVALS) == set(get_args(RivalName))
    for rival in RIVALS.values():
        assert (APPS / f"{rival.name}.py").is_file()
        assert rival.batchings
        if rival.endpoint_file:
            assert Endpoint.read(rival.endpoint_file).label


def test_every_requirement_is_pinned() -> None:
    for rival in RIVALS.values():
        assert all("==" in one for one in rival.requires), rival.name


def test_a_rival_for_an_older_python_says_so() -> None:
    with pytest.raises(StropError, match=r"mlserver needs Python below 3\.0"):
        replace(RIVALS["mlserver"], pythons=(3, 0)).python()


def test_one_batch_for_each_core_unless_the_cores_share_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(4)))
    assert [Batching(threads=threads).instances for threads in (1, 2, 4)] == [4, 2, 1]
    assert Batching(16, 0.002, workers=4).instances == 1


def test_a_rival_answers_and_nothing_of_it_is_left(tiny_bundle: Path) -> None:
    bundle = Bundle.open(tiny_bundle)
    served = Served.of(bundle.manifest.name, bundle.task, pairs=False)
    wire = OpenInferenceWire(served)
    rival = RIVALS["onnxruntime"]
    material = Material(tiny_bundle, bundle.reference.name, served.name)

    async def ask(address: str) -> object:
        async with Client(address) as client:
            return await client.ask(wire, [("good film",)])

    async def visit() -> tuple[int, object]:
        async with started(rival, rival.python(), material, rival.batchings[0], ask) as running:
            return running.pid, await ask(running.address)

    pid, reply = uvloop.run(visit())
    (((label, score),),) = reply.results  # type: ignore[attr-defined]
    assert label in bundle.manifest.labels
    assert 0 < score <= 1
    assert not psutil.pid_exists(pid)


def test_a_rival_that_ends_at_once_gives_its_reason(tiny_bundle: Path) -> None:
    rival = RIVALS["onnxruntime"]
    material = Material(tiny_bundle, "fp1", "tiny")

    async def ask(address: str) -> object:
        async with Client(address) as client:
            return client

    async def visit() -> None:
        async with started(rival, rival.python(), material, rival.batchings[0], ask):
            pass

    with pytest.raises(StropError, match=r"onnxruntime did not come up: .*fp1"):
        uvloop.run(visit())


def test_contenders_are_compared_in_one_table_and_who_can_not_be_had_is_listed(
    strop: Strop, tiny_bundle: Path, words: Path, tmp_path: Path
) -> None:
    code = strop(
        *("bench-rivals", "--bundle", str(tiny_bundle), "--texts", str(words), "--out", str(tmp_path)),
        *("--rivals", "onnxruntime", "pytorch", "--run", str(tmp_path / "no-run")),
        *("--rounds", "1", "--seconds", "2", "--trial-seconds", "0.4", "--slo-ms", "2000"),
    )
    assert code == 0
    (page,) = tmp_path.glob("*-rivals.md")
    report = json.loads(page.with_suffix(".json").read_text(encoding="utf-8"))
    assert report["schema"] == "strop.bench-rivals/1"
    own, *rivals = report["contenders"]
    assert own["name"] == "Strop fp32"
    (rival,) = rivals
    assert rival["name"] == "onnxruntime"
    assert rival["alike"] >= 0.995
    assert set(rival["tried"]) == {str(one) for one in RIVALS["onnxruntime"].batchings}
    assert rival["ratios"]["Strop fp32"]["ratio"] == pytest.approx(own["rates"][0] / rival["rates"][0])
    assert report["common_rate"] == pytest.approx(max(rival["tried"].values()) / 2)
    assert all(one["at_common_rate"]["p50"] > 0 for one in report["contenders"])
    assert rival["dollars_per_million"] > 0
    assert "is not a run" in report["failures"]["pytorch"]
    text = page.read_text(encoding="utf-8")
    assert "| onnxruntime |" in text
    assert "- pytorch: " in text
    html = page.with_suffix(".html").read_text(encoding="utf-8")
    assert re.search(r'<span class="number">[0-9.]+ ×</span> the rate of onnxruntime', html)
    assert re.search(r"What was not measured.*<li>pytorch: .*is not a run", html, re.DOTALL)


def test_an_interrupt_stops_all_that_was_started(tiny_bundle: Path, words: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [
        *(
            sys.executable,
            "-m",
            "strop",
            "bench-rivals",
            "--rivals",
            "onnxruntime",
            "--trial-seconds",
            "60",
        ),
        *("--bundle", str(tiny_bundle), "--texts", str(words), "--out", str(out)),
    ]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            app = _child_named("rivals.apps.onnxruntime", process)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 130
    assert "interrupted" in said
    assert not app.is_running()
    assert not out.exists()


def _child_named(word: str, process: "subprocess.Popen[str]") -> psutil.Process:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for child in psutil.Process(process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if word in " ".join(child.cmdline()):
                    return child
        time.sleep(0.05)
    raise AssertionError(f"no child with {word} in its command")


def test_the_children_of_a_rival_that_died_are_stopped(tiny_bundle: Path, tmp_path: Path) -> None:
    # A launcher that leaves a worker behind, as one does that is killed for memory.
    launcher = tmp_path / "python"
    launcher.write_text(
        f"#!/bin/sh\nsleep 600 &\necho $! > {tmp_path / 'worker'}\nexit 1\n", encoding="utf-8"
    )
    launcher.chmod(0o755)
    rival = RIVALS["onnxruntime"]

    async def ask(_: str) -> object:
        raise StropError("nobody listens")

    async def visit() -> None:
        async with started(
            rival, str(launcher), Material(tiny_bundle, "fp32", "m"), rival.batchings[0], ask
        ):
            pass

    with pytest.raises(StropError, match="did not come up: it said nothing"):
        uvloop.run(visit())
    assert not _alive(int((tmp_path / "worker").read_text(encoding="utf-8")))


def _alive(pid: int) -> bool:
    with contextlib.suppress(psutil.NoSuchProcess):
        psutil.Process(pid).wait(timeout=10)
    return psutil.pid_exists(pid) and psutil.Process(pid).status() != psutil.STATUS_ZOMBIE


def test_environments_are_made_without_measuring(
    strop: Strop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ("bench-rivals", "--prepare", "--rivals", "onnxruntime", "--bundle", str(tmp_path / "none"))
    assert strop(*words) == 0
    assert "onnxruntime: " in capsys.readouterr().out


def test_without_the_demo_it_says_to_run_it(
    strop: Strop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert strop("bench-rivals") == 2
    assert "--bundle demo/bundle is not there; run make demo first" in capsys.readouterr().err
    assert not any(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--rounds", "0"], "--rounds is 0"),
        (["--rivals", "triton"], "triton"),
        (["--rivals", "mosec", "mosec"], "names one twice"),
    ],
)
def test_a_wrong_option_is_named(
    strop: Strop, words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert strop("bench-rivals", *words) == 2
    assert message in capsys.readouterr().err
