"""The main job from outside: a run to a bundle, served, asked and benchmarked by real processes."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from strop.export.bundle import Bundle, Session
from strop.export.report import REPORT_FILE
from strop.tasks import softmax


def strop(*arguments, **options):
    command = [sys.executable, "-m", "strop", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


@pytest.fixture
def bundle(exported_bundle):
    return exported_bundle


@pytest.fixture
def server(bundle, tmp_path):
    """A running server: the process and what its ready file says."""
    ready = tmp_path / "ready.json"
    free = "127.0.0.1:0"
    command = [sys.executable, "-m", "strop", "serve", bundle, "--address", free]
    process = subprocess.Popen([*command, "--metrics-address", free, "--ready-file", ready])
    deadline = time.monotonic() + 60
    while not ready.exists():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    yield process, json.loads(ready.read_text())
    process.kill()
    process.wait()


def test_a_bundle_holds_what_the_run_was(bundle, tiny_run):
    manifest = Bundle.open(bundle).manifest
    assert manifest.labels == ("bad", "good", "plain")
    assert [variant.name for variant in manifest.variants] == ["fp32", "int8"]
    scores = json.loads((tiny_run / "metrics.json").read_text())["test"]
    fp32, int8 = manifest.variants
    assert fp32.metrics["accuracy"] == pytest.approx(scores["accuracy"])
    assert int8.bytes < fp32.bytes
    assert int8.share_of_reference >= 0.8


@pytest.mark.parametrize("name", ["fp32", "int8"])
def test_no_answer_depends_on_its_batch(bundle, name):
    assert Bundle.open(bundle).variant(name).metrics["batch_difference"] == 0


def test_the_golden_examples_are_the_reference_s_answers(bundle):
    opened = Bundle.open(bundle)
    variant, golden = opened.variant("fp32"), opened.golden()
    session = Session(opened.model_file(variant))
    encoded = opened.text_encoder().encode([example.text for example in golden])
    found = softmax(session.run(variant.layout.feeds([text.ids for text in encoded])))
    for row, example in zip(found, golden, strict=True):
        assert row == pytest.approx(example.output, abs=variant.golden_tolerance)


def test_the_same_run_gives_the_same_bundle_but_for_its_speed(bundle, tiny_run, tmp_path):
    options = ("--out", tmp_path / "again", "--name", "mood", "--gate", 0.8)
    strop("export", tiny_run, *options, cwd=tmp_path, env=os.environ | {"OMP_NUM_THREADS": "1"})
    first, again = (unmeasured(Bundle.open(folder).manifest) for folder in (bundle, tmp_path / "again"))
    assert first == again


def unmeasured(manifest):
    """A manifest without its measured times, and without the choice that follows from them."""
    measured = dict.fromkeys(("tokens_per_second", "speedup", "milliseconds_alone", "peak_bytes"), 0)
    variants = tuple(replace(variant, **measured) for variant in manifest.variants)
    files = {name: entry for name, entry in manifest.files.items() if name != REPORT_FILE}
    return replace(manifest, variants=variants, files=files, default_variant="fp32")


def test_a_bundle_does_not_tell_where_it_was_made(bundle, tiny_run):
    places = [str(place).encode() for place in (tiny_run, bundle, sys.prefix, Path(__file__).parents[1])]
    for path in bundle.rglob("*.*"):
        assert not [place for place in places if place in path.read_bytes()], path


def test_an_existing_bundle_is_refused_and_kept(bundle, tiny_run):
    done = strop("export", tiny_run, "--out", bundle)
    assert done.returncode == 2
    assert done.stderr == f"strop: --out {bundle} exists; name another folder or remove it\n"
    assert Bundle.open(bundle)


def test_what_is_no_run_is_refused(tmp_path):
    done = strop("export", tmp_path / "nowhere", "--out", tmp_path / "bundle")
    assert done.returncode == 2
    assert "is not a run" in done.stderr
    assert not (tmp_path / "bundle").exists()


def test_a_bundle_is_served_asked_benchmarked_and_drained(server, bundle, tiny_data, tmp_path):
    process, ready = server
    asked = strop("query", ready["address"], "a lovely superb film", "--protocol", "both")
    assert asked.returncode == 0, asked.stderr
    assert asked.stdout.count(" good ") == 2
    measured = strop(
        *("bench", ready["address"], "--texts", tiny_data / "test.jsonl", "--promise", bundle),
        *("--seconds", 3, "--warmup-seconds", 0.2, "--out", tmp_path / "reports"),
    )
    assert measured.returncode == 0, measured.stderr
    (report,) = (tmp_path / "reports").glob("*.json")
    accuracy = json.loads(report.read_text())["accuracy"]
    assert accuracy["metrics"]["accuracy"] == accuracy["promised"]["metrics"]["accuracy"]
    assert accuracy["changed"] == 0
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 0
