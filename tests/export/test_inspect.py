"""A bundle looked at, verified and signed, through the command line; each fault is named."""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from onnx import numpy_helper

from strop.cli import main
from strop.export.bundle import Bundle
from strop.export.bundle.cpu import weight_limit
from strop.export.bundle.directory import read_manifest
from strop.export.bundle.files import file_entry

FP32, INT8 = "variants/fp32/model.onnx", "variants/int8/model.onnx"


@pytest.fixture
def bundle(exported_bundle, tmp_path):
    """A copy that a test may spoil."""
    return Path(shutil.copytree(exported_bundle, tmp_path / "mood"))


@dataclass(frozen=True)
class Inspected:
    """What ``strop inspect`` ended with."""

    code: int
    out: str
    error: str

    @property
    def findings(self):
        return json.loads(self.out)["findings"]


@pytest.fixture
def inspect(capsys) -> Callable[..., Inspected]:
    def run(*arguments):
        code = main(["inspect", *map(str, arguments)])
        return Inspected(code, *capsys.readouterr())

    return run


def write_pair(folder, name, private=None):
    """A private key in NAME.pem and its public half in NAME.pub.pem, as openssl writes them."""
    private = private or Ed25519PrivateKey.generate()
    secret, public = folder / f"{name}.pem", folder / f"{name}.pub.pem"
    secret.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    public.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return secret, public


@pytest.fixture
def ours(tmp_path):
    return write_pair(tmp_path, "ours")


@pytest.fixture
def theirs(tmp_path):
    return write_pair(tmp_path, "theirs")


def reseal(root):
    """Give the manifest the checksums of the files as they are."""
    manifest = read_manifest(root)
    files = {name: file_entry(root / name) for name in manifest.files}
    (root / "manifest.json").write_text(replace(manifest, files=files).to_json())


def test_a_bundle_is_shown_in_80_columns(bundle, inspect):
    shown = inspect(bundle)
    assert (shown.code, shown.error) == (0, "")
    assert max(map(len, shown.out.splitlines())) <= 80
    manifest = Bundle.open(bundle).manifest
    assert manifest.provenance["data_sha256"][:40] in shown.out
    for fact in ("mood 1", "bad, good, plain", "32 tokens a text", "int8", "CPU", "packed"):
        assert fact in shown.out
    assert "verified" not in shown.out


def test_what_is_exported_verifies_with_every_variant_within_its_tolerance(bundle, inspect):
    assert inspect(bundle, "--verify").code == 0
    shown = inspect(bundle, "--verify", "--json")
    assert json.loads(shown.out)["manifest"] == json.loads((bundle / "manifest.json").read_text())
    assert [check["variant"] for check in shown.findings["golden"]] == ["fp32", "int8"]
    for check in shown.findings["golden"]:
        assert 0 <= check["difference"] <= check["tolerance"]


def test_every_wrong_file_is_named_and_only_what_can_be_trusted_is_run(bundle, inspect):
    graph = bytearray((bundle / FP32).read_bytes())
    graph[len(graph) // 2] ^= 1
    (bundle / FP32).write_bytes(graph)
    (bundle / "README.md").unlink()
    (bundle / "variants/fp32/weights.bin").touch()
    shown = inspect(bundle, "--verify", "--json")
    assert shown.code == 1
    faults = shown.findings["files"]
    assert list(faults) == ["README.md", FP32, "variants/fp32/weights.bin"]
    assert "is missing" in faults["README.md"]
    assert "is not the file that was exported" in faults[FP32]
    assert "is not in the manifest; remove it" in faults["variants/fp32/weights.bin"]
    fp32, int8 = shown.findings["golden"]
    assert fp32["fault"] == f"variant 'fp32' was not run, because of {FP32}"
    assert int8["fault"] is None
    assert shown.error.endswith("(and 3 more)\n")
    lines = inspect(bundle, "--verify").out.splitlines()
    assert sum(line.startswith("wrong") for line in lines) == 4


def test_answers_that_drifted_are_found_although_every_checksum_is_right(bundle, inspect):
    graph = onnx.load(bundle / INT8)
    bias = next(tensor for tensor in graph.graph.initializer if list(tensor.dims) == [3])
    moved = numpy_helper.to_array(bias) + np.float32([9, 0, 0])
    bias.CopyFrom(numpy_helper.from_array(moved, bias.name))
    onnx.save(graph, bundle / INT8)
    reseal(bundle)
    shown = inspect(bundle, "--verify")
    assert shown.code == 1
    assert "variant 'int8' on CPUExecutionProvider is off by" in shown.error
    fp32, int8 = inspect(bundle, "--verify", "--json").findings["golden"]
    assert fp32["fault"] is None
    assert int8["difference"] > int8["tolerance"]


def test_a_variant_made_for_another_kind_of_cpu_is_not_run(bundle, inspect):
    manifest = json.loads((bundle / "manifest.json").read_text())
    assert manifest["variants"][1]["facts"]["weight_limit"] == str(weight_limit())
    manifest["variants"][1]["facts"]["weight_limit"] = "128"
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    shown = inspect(bundle, "--verify")
    assert shown.code == 1
    assert "variant 'int8' was made for a CPU that adds up 8-bit products exactly" in shown.error


def test_a_graph_that_does_not_load_is_told_in_one_line(bundle, inspect):
    (bundle / INT8).write_bytes(b"no graph")
    reseal(bundle)
    shown = inspect(bundle, "--verify")
    assert shown.code == 1
    (line,) = shown.error.splitlines()
    assert "variant 'int8' can't be run here: " in line


def test_what_is_no_bundle_is_refused(inspect, tmp_path):
    shown = inspect(tmp_path, "--verify")
    assert (shown.code, shown.out) == (2, "")
    assert "is not a bundle" in shown.error


def test_a_signature_tells_whose_bundle_it_is(bundle, inspect, ours, theirs):
    key, public = ours
    assert inspect(bundle, "--json").findings["signature"] == "none"
    assert main(["sign", str(bundle), "--key", str(key)]) == 0
    assert len((bundle / "manifest.sig").read_bytes()) == 64
    inspect(bundle)
    assert inspect(bundle, "--json").findings["signature"] == "unchecked"
    assert inspect(bundle, "--json", "--verify", "--public-key", public).findings["signature"] == "valid"
    refused = inspect(bundle, "--public-key", theirs[1])
    assert refused.code == 1
    assert "is not by the owner of --public-key" in refused.error


def test_an_unsigned_bundle_is_refused_where_a_key_is_given(bundle, inspect, ours):
    refused = inspect(bundle, "--public-key", ours[1])
    assert refused.code == 1
    assert "is not signed (manifest.sig is missing)" in refused.error


def test_a_manifest_changed_after_signing_is_refused_and_its_graphs_are_not_run(bundle, inspect, ours):
    main(["sign", str(bundle), "--key", str(ours[0])])
    inspect(bundle)
    (bundle / INT8).write_bytes((bundle / FP32).read_bytes())
    reseal(bundle)
    refused = inspect(bundle, "--verify", "--json", "--public-key", ours[1])
    assert refused.code == 1
    assert list(refused.findings["files"]) == ["manifest.sig"]
    assert all("was not run" in check["fault"] for check in refused.findings["golden"])


def test_what_is_not_whole_is_not_signed(bundle, ours, capsys):
    (bundle / "tokenizer.json").unlink()
    assert main(["sign", str(bundle), "--key", str(ours[0])]) == 2
    assert "tokenizer.json is missing" in capsys.readouterr().err
    assert not (bundle / "manifest.sig").exists()


def test_a_file_that_holds_no_such_key_is_refused_by_name(bundle, inspect, ours, tmp_path, capsys):
    other, other_public = write_pair(tmp_path, "other", X25519PrivateKey.generate())
    for public in (other_public, ours[0], bundle / "README.md", tmp_path / "none.pem"):
        refused = inspect(bundle, "--public-key", public)
        assert (refused.code, refused.error.count("\n")) == (2, 1)
        assert refused.error.startswith(f"strop: --public-key {public} ")
    for key in (other, ours[1], tmp_path / "none.pem"):
        assert main(["sign", str(bundle), "--key", str(key)]) == 2
        assert capsys.readouterr().err.startswith(f"strop: --key {key} ")


def test_signing_without_its_package_names_what_to_install(bundle, ours):
    script = """
import sys
sys.modules["cryptography"] = None
from strop.cli import main
sys.exit(main(sys.argv[1:]))
"""
    command = [sys.executable, "-c", script, "sign", bundle, "--key", ours[0]]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert "pip install 'strop[sign]'" in done.stderr


def test_a_variant_for_a_gpu_is_verified_on_the_cpu_where_there_is_none_and_says_why(bundle, inspect):
    manifest = read_manifest(bundle)
    made_for_gpu = tuple(
        replace(one, provider="CUDAExecutionProvider") if one.name == "int8" else one
        for one in manifest.variants
    )
    (bundle / "manifest.json").write_text(
        replace(manifest, variants=made_for_gpu).to_json(), encoding="utf-8"
    )
    found = inspect(bundle, "--verify", "--json")
    assert found.code == 0
    assert [check["provider"] for check in found.findings["golden"]] == ["CPUExecutionProvider"] * 2
    assert list(found.findings["elsewhere"]) == ["int8"]
    assert "strop[gpu]" in found.findings["elsewhere"]["int8"]
    shown = inspect(bundle)
    assert "not here on what it was made for" in shown.out
    assert "pip uninstall onnxruntime" in " ".join(shown.out.split())
