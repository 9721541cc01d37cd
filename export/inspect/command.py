"""``strop inspect`` and ``strop sign``."""

import sys

from rich.console import Console

from strop.errors import StropError

from .config import InspectConfig, SignConfig


def inspect(config: InspectConfig) -> None:
    """Show what a bundle is, what it is worth and where it comes from; --verify checks that it is so."""
    # Not at the top: the options' help must not wait for ONNX Runtime.
    from ..bundle import Bundle
    from ..bundle.directory import read_manifest
    from .engines import engine_findings
    from .findings import Findings
    from .show import as_json, show

    bundle = Bundle(config.bundle, read_manifest(config.bundle))
    findings = Findings.of(bundle, config.public_key, verify=config.verify)
    engines = engine_findings(bundle, config.engine_cache)
    if config.json:
        sys.stdout.write(as_json(bundle, findings, engines))
    else:
        show(bundle, findings, engines, _console())
    if findings.faults:
        first, *others = findings.faults
        raise StropError(first + (f" (and {len(others)} more)" if others else ""))


def sign(config: SignConfig) -> None:
    """Vouch for a bundle with your key: serve --public-key then takes it, and refuses any other.

    Writes manifest.sig, the Ed25519 signature of the manifest, which holds every file's sha256.
    """
    # Not at the top, as above; and signatures are an extra.
    from ..bundle import Bundle
    from ..bundle.manifest import MANIFEST_FILE, SIGNATURE_FILE
    from ..bundle.signature import sign

    bundle = Bundle.open(config.bundle)  # nobody should vouch for what isn't whole
    signature = sign((bundle.root / MANIFEST_FILE).read_bytes(), config.key)
    (bundle.root / SIGNATURE_FILE).write_bytes(signature)
    _console().print(f"signed: {bundle.root / SIGNATURE_FILE}", soft_wrap=True)
    _console().print(f"next:   strop serve {bundle.root} --public-key KEY.pub.pem", soft_wrap=True)


def _console() -> Console:
    return Console(highlight=False, markup=False, emoji=False)
