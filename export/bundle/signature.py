"""Who vouches for a bundle: an Ed25519 signature (RFC 8032) over its manifest. Needs strop[sign].

The manifest holds every file's sha256, so its signature covers them all.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from strop.errors import InputError

from .bounds import SIGNATURE_BYTES, read_bounded
from .manifest import SIGNATURE_FILE, SignatureError

try:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
    from cryptography.hazmat.primitives.serialization import (
        load_pem_private_key,
        load_pem_public_key,
    )
except ModuleNotFoundError as error:
    raise InputError(
        f"signatures need the Python package {error.name!r}; pip install 'strop[sign]'"
    ) from error

PRIVATE = "a private Ed25519 key in PEM without a passphrase (openssl genpkey -algorithm ed25519)"
PUBLIC = "a public Ed25519 key in PEM (openssl pkey -pubout)"

Key = TypeVar("Key")


def sign(manifest: bytes, key: Path) -> bytes:
    """The signature's raw 64 bytes; ``InputError`` when the file ``key`` can't make it."""
    return _read("--key", key, _private, PRIVATE).sign(manifest)


def require_signature(root: Path, manifest: bytes, public_key: Path) -> None:
    """Raise ``SignatureError`` unless the owner of ``public_key`` signed the manifest of ``root``.

    ``InputError`` when there is no such key.
    """
    public = _read("--public-key", public_key, _public, PUBLIC)
    path = root / SIGNATURE_FILE
    if not path.is_file():
        raise SignatureError(
            f"{root} is not signed ({SIGNATURE_FILE} is missing) and --public-key {public_key} wants it"
            " to be; get it from its signer, or sign it: strop sign"
        )
    try:
        public.verify(read_bounded(path, SIGNATURE_BYTES), manifest)
    except InvalidSignature as error:
        raise SignatureError(
            f"{path} is not by the owner of --public-key {public_key}, or the manifest was changed since;"
            " get the bundle again from its signer, or give that signer's key"
        ) from error


def _private(pem: bytes) -> Ed25519PrivateKey:
    key = load_pem_private_key(pem, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError(key)
    return key


def _public(pem: bytes) -> Ed25519PublicKey:
    key = load_pem_public_key(pem)
    if not isinstance(key, Ed25519PublicKey):
        raise TypeError(key)
    return key


def _read(flag: str, path: Path, load: Callable[[bytes], Key], wanted: str) -> Key:
    try:
        return load(path.read_bytes())
    except OSError as error:
        raise InputError(f"{flag} {path} can't be read: {error.strerror}; give {wanted}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InputError(f"{flag} {path} is something else; give {wanted}") from error
