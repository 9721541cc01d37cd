"""The console in a browser, where `make test-page` has made what that takes."""

import contextlib
import json
import subprocess
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from strop.bench.page.browser import ENVIRONMENT, chromium, look
from strop.serve.console.console import Console
from strop.serve.console.site import Site
from strop.serve.console.state import Failure, ModelState, State
from strop.serve.observe.metrics import Metrics
from strop.serve.observe.page import MetricsPage

pytestmark = [
    pytest.mark.skipif(chromium() is None, reason="there is no Chromium; install one"),
    pytest.mark.skipif(not ENVIRONMENT.ready, reason="playwright is not there; make test-page makes it"),
]

SCRIPT = Path(__file__).with_name("console_browser.py")
HOSTILE = '"><script>alert(1)</script><img src=x onerror=alert(2)>'
STATE = State(
    models=(
        ModelState("tiny", "3", "READY", "", "fp32", "CPUExecutionProvider", processes=2),
        ModelState(HOSTILE, HOSTILE, "UNAVAILABLE", f"a checksum is wrong: {HOSTILE}"),
    ),
    failures=(Failure("Classify", HOSTILE, "INVALID_ARGUMENT", HOSTILE, 3, 1.7e9),),
)


def answer(asked: Mapping[str, str]) -> Mapping[str, Any]:
    spent = {"tokenise": 100, "queue": 100, "compute": 1800, "total": 2000}
    outputs = [{"name": HOSTILE, "value": f"{asked['text']} {HOSTILE}"}]
    return {"variant": HOSTILE, "truncated": True, "microseconds": spent, "outputs": outputs}


@contextlib.contextmanager
def page(address: str) -> Iterator[str]:
    """A console with a hostile word wherever one fits, some load behind it; yields its address."""
    metrics = Metrics()
    metrics.of(HOSTILE, HOSTILE)
    console = Console(metrics.registry, lambda: STATE, tries=True)
    console.address = "127.0.0.1:8001"
    for _ in range(3):
        for milliseconds in range(1, 50):
            metrics.began()
            metrics.ended("strop.v1.Strop", "Classify", "OK", milliseconds / 1e3)
        metrics.began()
        metrics.ended(HOSTILE, HOSTILE, HOSTILE, 0.1)
        console.mark()
    site = partial(Site, console, answer)
    with contextlib.closing(MetricsPage(metrics.registry, address, site)) as opened:
        yield opened.address


def test_a_phone_and_a_desktop_show_it_without_a_complaint(tmp_path: Path) -> None:
    with page("127.0.0.1:0") as address:
        views = look(f"http://{address}/", tmp_path, shown="#models th[scope=row]")
    assert [one.pop("picture") for one in views] == [
        f"{width}-{scheme}.png" for width in ("phone", "desktop") for scheme in ("light", "dark")
    ]
    assert views == [{"console": [], "fetched": [], "violations": [], "wider": 0}] * 4


def test_hostile_words_are_text_the_box_answers_and_a_restart_is_told() -> None:
    with contextlib.ExitStack() as stack:
        first = stack.enter_context(contextlib.ExitStack())
        address = first.enter_context(page("127.0.0.1:0"))
        words = [str(ENVIRONMENT.python), str(SCRIPT), str(chromium()), f"http://{address}/"]
        with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as browser:
            assert browser.stdout is not None
            seen = json.loads(browser.stdout.readline())
            assert seen["dialogs"] == []
            assert seen["scripts"] == 1
            assert all(HOSTILE in table for table in seen["tables"].values())
            assert "READY × 2" in seen["tables"]["models"]
            assert f"good film {HOSTILE}" in seen["answer"]
            assert "longer than the model takes" in seen["answer"]
            first.close()
            seen = json.loads(browser.stdout.readline())
            assert "what you see is from then" in seen["notice"]
            assert seen["status"] == "no answer"
            stack.enter_context(page(address))
            seen = json.loads(browser.stdout.readline())
            assert "its numbers began again" in seen["notice"]
            assert seen["status"] == "serving"
        assert browser.returncode == 0
