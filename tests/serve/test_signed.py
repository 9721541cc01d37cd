"""A server that takes the bundles of one signer alone."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

Refuse = Callable[..., Any]


@pytest.fixture
def key(tmp_path: Path) -> tuple[Ed25519PrivateKey, Path]:
    """A private key, and the file of its public half."""
    private, path = Ed25519PrivateKey.generate(), tmp_path / "key.pub.pem"
    path.write_bytes(private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return private, path


def signed(bundle: Path, root: Path, private: Ed25519PrivateKey) -> Path:
    """A signed copy of a bundle."""
    shutil.copytree(bundle, root)
    (root / "manifest.sig").write_bytes(private.sign((root / "manifest.json").read_bytes()))
    return root


@pytest.mark.parametrize("workers", ["1", "2"])
def test_the_signer_s_bundle_is_served(
    start_server: Callable[..., Any], tiny_bundle: Path, tmp_path: Path, key: Any, workers: str
) -> None:
    private, public = key
    bundle = signed(tiny_bundle, tmp_path / "signed", private)
    assert start_server(bundle, "--public-key", str(public), "--workers", workers).address


@pytest.mark.parametrize("workers", ["1", "2"])
def test_another_signer_s_bundle_is_refused(
    refuse_to_start: Refuse, tiny_bundle: Path, tmp_path: Path, key: Any, workers: str
) -> None:
    bundle = signed(tiny_bundle, tmp_path / "signed", Ed25519PrivateKey.generate())
    ended = refuse_to_start(bundle, "--public-key", str(key[1]), "--workers", workers)
    assert (ended.returncode, ended.stderr.count("\n")) == (2, 1)
    assert "manifest.sig is not by the owner of --public-key" in ended.stderr


def test_an_unsigned_bundle_is_refused(refuse_to_start: Refuse, tiny_bundle: Path, key: Any) -> None:
    ended = refuse_to_start(tiny_bundle, "--public-key", str(key[1]))
    assert ended.returncode == 2
    assert "is not signed (manifest.sig is missing)" in ended.stderr
