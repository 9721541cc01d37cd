"""The fuzzer: what it calls a finding, how it changes inputs, and a short run of it."""

import json
import random
import subprocess
import sys
from pathlib import Path

import grpc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strop.bench.fuzz.command import FuzzConfig, fuzz
from strop.bench.fuzz.messages import Mutator
from strop.bench.fuzz.tally import FINDINGS_FOLDER, TALLY_FILE, Tally
from strop.bench.fuzz.values import mutate_json
from strop.bench.fuzz.verdict import FindingError, judge
from strop.errors import InputError
from strop.proto import open_inference_pb2 as oip

SEEDS = settings(max_examples=200)


@pytest.mark.parametrize(
    ("code", "message", "finding"),
    [
        (grpc.StatusCode.OK, "", None),
        (grpc.StatusCode.INVALID_ARGUMENT, "top_k is 9; send at most 3", None),
        (grpc.StatusCode.NOT_FOUND, "no such model", None),
        (grpc.StatusCode.INVALID_ARGUMENT, "wrong", "INVALID_ARGUMENT without a fix: wrong"),
        (grpc.StatusCode.NOT_FOUND, "", "NOT_FOUND without a reason"),
        (grpc.StatusCode.INTERNAL, "internal error; see the log", "INTERNAL: internal error; see the log"),
        (grpc.StatusCode.UNKNOWN, "", "UNKNOWN: "),
    ],
)
def test_a_status_is_a_refusal_with_a_reason_or_a_finding(code, message, finding):
    if finding is None:
        assert judge(code, message) == code.name
        return
    with pytest.raises(FindingError) as raised:
        judge(code, message)
    assert str(raised.value) == finding


def test_findings_that_differ_in_numbers_and_quotations_are_one():
    one, other = FindingError("INTERNAL: input 'a' has 3"), FindingError("INTERNAL: input 'b' has 41")
    assert one.digest == other.digest != FindingError("INTERNAL: output 'a' has 3").digest


@SEEDS
@given(st.integers(0, 2**32), st.binary(max_size=20))
def test_a_changed_message_is_still_a_message(seed, other):
    message = oip.ModelInferRequest(model_name="tiny", raw_input_contents=[b"abc"])
    message.inputs.add(name="text", datatype="BYTES", shape=[1]).contents.bytes_contents.append(b"a")
    mutator = Mutator(random.Random(seed), ("text", "\0"), lambda old: old + other)
    for _ in range(8):
        mutator.mutate(message)
    assert oip.ModelInferRequest.FromString(message.SerializeToString()) == message or "nan" in str(message)


@SEEDS
@given(st.integers(0, 2**32))
def test_a_changed_document_is_still_one_unless_it_nests_too_deep(seed):
    text = json.dumps({"name": "tiny", "labels": ["a", "b"], "layout": {"alignment": 8}}).encode()
    changed = mutate_json(text, random.Random(seed))
    if b"[" * 100 not in changed:
        json.loads(changed.decode(errors="surrogatepass"))


class Touchy:
    """A target that breaks its promise on some inputs."""

    def run(self, data):
        if data.startswith(b"x"):
            raise FindingError(f"INTERNAL: {len(data)}")
        return "OK"


def test_a_tally_keeps_the_first_input_of_each_finding(tmp_path):
    tally = Tally(Touchy(), tmp_path, 4)
    for data in (b"a", b"x1", b"x22", b"b"):
        tally.try_one(data)
    written = json.loads((tmp_path / TALLY_FILE).read_text())
    assert written["inputs"] == 4
    assert written["outcomes"] == {"OK": 2, "finding": 2}
    ((digest, message),) = written["findings"].items()
    assert message == "INTERNAL: 2"
    assert (tmp_path / FINDINGS_FOLDER / digest).read_bytes() == b"x1"


def test_a_short_run_breaks_no_promise(tiny_bundle, tmp_path):
    pytest.importorskip("atheris", reason="atheris has no wheel for this platform")
    options = ["--runs", "1500", "--wire", "300", "--keep", tmp_path / "kept", "--out", tmp_path / "out"]
    words = [sys.executable, "-m", "strop.bench.fuzz", tiny_bundle, *options]
    done = subprocess.run([str(word) for word in words], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = (tmp_path / "out").glob("*.json")
    targets = json.loads(report.read_text())["targets"]
    assert list(targets) == ["requests", "files", "wire"]
    for target in targets.values():
        assert target["findings"] == {}
    assert targets["requests"]["inputs"] == 1500
    # Far less than a run of a million reaches, and far more than its seeds do by themselves.
    assert targets["requests"]["branches"] > 500
    assert targets["requests"]["outcomes"]["ModelInfer INVALID_ARGUMENT"] > 0
    assert targets["files"]["outcomes"]["manifest.json refused"] > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"targets": ("requests", "requests")}, "--targets is 'requests requests'; name each once"),
        ({"runs": 0}, "--runs is 0; it must be at least 1"),
        ({"bundle": Path("nowhere")}, "nowhere is not a bundle"),
    ],
)
def test_what_can_not_be_fuzzed_is_said_in_one_line(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        fuzz(FuzzConfig(**({"out": tmp_path} | options)))
