"""Whether a bundle is what its manifest says, and answers on this machine as it did at export."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from strop.tasks import Outputs

from .. import tensorrt
from ..bundle import BATCH_TOKENS, Bundle, Drift, Variant, open_runner, told
from ..bundle.directory import read_manifest
from ..bundle.files import unlisted_files
from ..bundle.layout import IntArray
from ..bundle.manifest import MANIFEST_FILE, SIGNATURE_FILE, SignatureError
from ..bundle.probe import missing
from ..providers import CPU, TENSORRT


@dataclass(frozen=True)
class GoldenCheck:
    """A variant's golden examples, run here."""

    variant: str
    provider: str
    """What they ran on: a CPU where the variant's own provider can't be had."""
    difference: float | None
    """The largest of a probability; None when there is no such number."""
    tolerance: float
    fault: str | None

    def __str__(self) -> str:
        where = self.provider.removesuffix("ExecutionProvider")
        return self.fault or (
            f"off by {self.difference:.4g} at most on {where}; {self.tolerance:.4g} is tolerated"
        )


@dataclass(frozen=True)
class Findings:
    """What was found of a bundle; a fault says what is wrong and names the fix."""

    verified: bool
    """Whether more than the signature was looked at."""
    signature: Literal["none", "unchecked", "valid", "wrong"]
    """Unchecked when there was no public key to check it with."""
    files: Mapping[str, str]
    """Faults by a file's path in the bundle."""
    golden: tuple[GoldenCheck, ...]
    elsewhere: Mapping[str, str]
    """Why a variant doesn't run here on what it was made for, and what to install, by its name."""

    @classmethod
    def of(cls, bundle: Bundle, public_key: Path | None, *, verify: bool) -> Self:
        """Check the signature, if there is a key for it; with ``verify`` files and answers, too."""
        files = _signature_faults(bundle.root, public_key)
        signature = _signature(bundle.root, public_key, files)
        if not verify:
            return cls(verify, signature, files, (), _elsewhere(bundle))
        files = files | dict(bundle.file_faults()) | _unlisted(bundle)
        golden = tuple(_golden(bundle, variant, files) for variant in bundle.manifest.variants)
        return cls(verify, signature, files, golden, _elsewhere(bundle))

    @property
    def faults(self) -> list[str]:
        """Everything that is wrong."""
        return [*self.files.values(), *(check.fault for check in self.golden if check.fault)]


def _signature_faults(root: Path, public_key: Path | None) -> dict[str, str]:
    try:
        read_manifest(root, public_key)
    except SignatureError as error:
        return {SIGNATURE_FILE: str(error)}
    return {}


def _signature(
    root: Path, public_key: Path | None, faults: Mapping[str, str]
) -> Literal["none", "unchecked", "valid", "wrong"]:
    if not (root / SIGNATURE_FILE).is_file():
        return "none"
    if public_key is None:
        return "unchecked"
    return "wrong" if faults else "valid"


def _unlisted(bundle: Bundle) -> dict[str, str]:
    listed = {MANIFEST_FILE, SIGNATURE_FILE, *bundle.manifest.files}
    return {
        name: f"{bundle.root / name} is not in the manifest; remove it"
        for name in unlisted_files(bundle.root, listed)
    }


def _elsewhere(bundle: Bundle) -> dict[str, str]:
    reasons = {
        variant.name: (tensorrt.missing() or tensorrt.unfit_here(variant.facts))
        if variant.provider == TENSORRT
        else missing(variant.provider)
        for variant in bundle.manifest.variants
    }
    return {name: reason for name, reason in reasons.items() if reason is not None}


def _golden(bundle: Bundle, variant: Variant, faults: Mapping[str, str]) -> GoldenCheck:
    # An engine of TensorRT's is not the graph; the server proves it when it is there.
    elsewhere = variant.provider == TENSORRT or missing(variant.provider) is not None
    provider = CPU if elsewhere else variant.provider

    def result(difference: float | None, fault: str | None) -> GoldenCheck:
        return GoldenCheck(variant.name, provider, difference, variant.golden_tolerance, fault)

    if wrong := (bundle.needed_files(variant) | {SIGNATURE_FILE}) & faults.keys():
        return result(None, f"variant {variant.name!r} was not run, because of {', '.join(sorted(wrong))}")
    try:
        drift = _drift(bundle, variant, provider)
    except Exception as error:  # noqa: BLE001 - whatever a graph or a tokenizer raises is what is wrong
        return result(None, f"variant {variant.name!r} can't be run here: {' '.join(str(error).split())}")
    return result(
        drift.difference if math.isfinite(drift.difference) else None, drift.fault(variant, provider)
    )


def _drift(bundle: Bundle, variant: Variant, provider: str) -> Drift:
    session, layout = open_runner(bundle.model_file(variant), provider=provider), variant.layout

    def answer(sequences: Sequence[IntArray]) -> Outputs:
        return told(session, layout, bundle.task, sequences)

    return Drift.of(bundle, variant, answer, layout, BATCH_TOKENS)
