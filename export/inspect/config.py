"""The options of ``strop inspect`` and ``strop sign``."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter


@Parameter(name="*")
@dataclass(frozen=True)
class InspectConfig:
    """Which bundle to look at, and how closely."""

    bundle: Path
    """The bundle directory that strop export wrote."""
    _: KW_ONLY
    verify: Annotated[bool, Parameter(negative="")] = False
    """Check every file's sha256, look for files that the manifest doesn't list, and run the golden
    examples of every variant on this machine. Exits with 1 when anything is wrong."""
    public_key: Path | None = None
    """Refuse a bundle that the owner of this public key, Ed25519 in PEM, has not signed. Needs pip
    install 'strop[sign]'."""
    engine_cache: Path | None = None
    """Where to look for TensorRT engines of the bundle. Default: engines in the cache, ~/.cache/strop."""
    json: Annotated[bool, Parameter(negative="")] = False
    """Print the manifest and what was found as one JSON object, for scripts."""


@Parameter(name="*")
@dataclass(frozen=True)
class SignConfig:
    """What to vouch for, and as whom."""

    bundle: Path
    """The bundle directory that strop export wrote."""
    _: KW_ONLY
    key: Path
    """Your private Ed25519 key in PEM: openssl genpkey -algorithm ed25519 -out KEY.pem makes one, and
    openssl pkey -in KEY.pem -pubout -out KEY.pub.pem the public key for --public-key."""
