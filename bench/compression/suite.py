"""The suite: bundle after bundle, the report saved after each."""

import os
from collections.abc import Mapping, Sequence
from datetime import datetime

from rich.console import Console

from strop.errors import InputError, StropError
from strop.export.bundle import BATCH_TOKENS, Bundle, Variant
from strop.host import read_host, read_versions
from strop.train.run import Run

from ..targets.report import TargetReport
from ..targets.rows import Row, Target, ratios
from .config import CompressionConfig
from .contenders import ALONE, EAGER, THREADS, Contest

PACKAGES = ("numpy", "onnxruntime", "torch", "transformers")
OVER_ALONE, OVER_EAGER, SIZE, SHARE = (
    Target("at least", 2.5),
    Target("at least", 4.0),
    Target("at most", 0.30),
    Target("at least", 0.99),
)


def run_suite(config: CompressionConfig) -> None:
    """Measure each bundle, show the table and save it.

    Raises ``InputError`` for a bundle or run that can't be used, ``StropError`` at the end when a
    target is missed.
    """
    console = Console()
    pairs = [
        (Bundle.open(bundle), Run.open(run))
        for bundle, run in zip(config.bundles, config.runs, strict=True)
    ]
    for bundle, run in pairs:
        made_of = bundle.manifest.provenance["data_sha256"]
        if made_of != run.data_sha256:
            raise InputError(f"{bundle.root} was not exported from {run.root}; name the run of each bundle")
    report = TargetReport(
        schema="strop.bench-export/1",
        title="Compression against its targets",
        created=datetime.now().astimezone(),
        host=read_host(),
        load=os.getloadavg()[0],
        versions=read_versions(PACKAGES),
        config=config,
        setting=f"{THREADS} thread, variants in packed batches of up to {BATCH_TOKENS} tokens",
    )
    with console.status("loading") as status:
        for bundle, run in pairs:
            contest = Contest.open(bundle, run, config.texts, config.seed)
            rates = contest.rates(config.rounds, status.update)
            report.parts[bundle.manifest.name] = _rows(bundle, rates, config.over_fp32)
            page = report.write()
    report.show(console)
    console.print(f"report: {page} and .json", markup=False, soft_wrap=True)
    if report.missed:
        raise StropError(report.verdict)


def _rows(bundle: Bundle, rates: Mapping[str, Sequence[float]], over_fp32: float | None) -> list[Row]:
    """The targets are those of the bundle's default variant; the others are there for comparison."""
    name, default = bundle.manifest.name, bundle.variant()
    rows = [Row(f"{name}: {one}", rates[one], unit="tokens/s") for one in (ALONE, EAGER)]
    for variant in (default, *(one for one in bundle.manifest.variants if one != default)):
        rows += _variant_rows(bundle, variant, rates, targeted=variant == default)
        if variant != bundle.reference:
            wanted = Target("at least", over_fp32) if over_fp32 and variant == default else None
            over = ratios(rates[variant.name], rates[bundle.reference.name])
            rows.append(Row(f"{name}: {variant.name}, over fp32 in packed batches", over, wanted))
    return rows


def _variant_rows(
    bundle: Bundle, variant: Variant, rates: Mapping[str, Sequence[float]], *, targeted: bool
) -> list[Row]:
    title = f"{bundle.manifest.name}: {variant.name}"
    rate = rates[variant.name]

    def target(wanted: Target) -> Target | None:
        return wanted if targeted else None

    return [
        Row(f"{title}", rate, unit="tokens/s"),
        Row(
            f"{title}, over ONNX Runtime alone", ratios(rate, rates[ALONE]), target(OVER_ALONE), note=ALONE
        ),
        Row(f"{title}, over PyTorch", ratios(rate, rates[EAGER]), target(OVER_EAGER), note=EAGER),
        Row(
            f"{title}, size as a share of fp32's",
            [variant.bytes / bundle.reference.bytes],
            target(SIZE),
        ),
        Row(
            f"{title}, accuracy as a share of fp32's",
            [variant.share_of_reference],
            target(SHARE),
            note=f"held-out split, {bundle.manifest.provenance['held_out_texts']} texts; 95 % interval"
            f" {variant.share_interval[0]:.4f} to {variant.share_interval[1]:.4f}",
        ),
    ]
