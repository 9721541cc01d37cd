"""The suite: contenders in turn, a row for each figure, the report saved."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from statistics import median

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console

from strop.errors import InputError, StropError
from strop.export.bundle import Bundle
from strop.host import read_host, read_versions
from strop.matrix_product import MatrixProduct
from strop.train.run import Run

from ..confidence import CONFIDENCE, mean_ratio
from ..targets.report import TargetReport, digits
from ..targets.rows import Row, Target, ratios
from ..targets.turns import turns
from .config import EnginesConfig
from .contenders import EAGER, Contender, eager, engines
from .defaults import DEFAULTS, Device, device_of
from .flops import ModelSize

PACKAGES = ("numpy", "onnxruntime", "onnxruntime-gpu", "tensorrt", "torch", "transformers")
PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
OVER_EAGER = Target("at least", 3.0)


@dataclass(frozen=True)
class Measured:
    """What each contender showed, round by round."""

    rates: Mapping[str, list[float]]
    """Tokens per second."""
    batches: Mapping[str, list[NDArray[np.float64]]]
    """Seconds of each batch."""
    peaks: Mapping[str, list[float]]
    """Operations per second."""


def run_suite(config: EnginesConfig) -> None:
    """Measure, show the table and save it.

    Raises ``InputError`` for a bundle or run that can't be used, ``StropError`` at the end when a
    target is missed.
    """
    bundle, run = Bundle.open(config.bundle), Run.open(config.run)
    if bundle.manifest.provenance["data_sha256"] != run.data_sha256:
        raise InputError(f"{bundle.root} was not exported from {run.root}; name the run of the bundle")
    device: Device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(config.threads)
    console = Console()
    report = TargetReport(
        schema="strop.bench-engines/1",
        title="Engines in this process",
        created=datetime.now().astimezone(),
        host=read_host(),
        load=os.getloadavg()[0],
        versions=read_versions(PACKAGES),
        config=config,
        setting=f"{bundle.manifest.name}, {_device_name(device, config.threads)}, one batch at a time",
    )
    with console.status("loading") as status:
        model = run.merged_model()
        size = ModelSize.of(model)
        # On a box with a card the engines that stay on its CPU get a CPU's share of the texts.
        texts = {kind: _sequences(bundle, run, config, kind) for kind in DEFAULTS}
        contenders = {EAGER: eager(model, device, bundle.reference.layout.pad_token_id, texts[device])}
        for name, found in engines(bundle, config.variants, texts, config.threads):
            if isinstance(found, Contender):
                contenders[name] = found
            else:
                report.failures[name] = str(found)
        peaks = {f"matrix peak, {name}": MatrixProduct(dtype, device) for name, dtype in PRECISIONS.items()}
        measured = _measure(contenders, peaks, config, status.update)
    report.parts[bundle.manifest.name] = _rows(contenders, measured, size)
    page = report.write()
    report.show(console)
    console.print(f"report: {page} and .json", markup=False, soft_wrap=True)
    if report.missed:
        raise StropError(report.verdict)


def _measure(
    contenders: Mapping[str, Contender],
    peaks: Mapping[str, MatrixProduct],
    config: EnginesConfig,
    say: Callable[[str], None],
) -> Measured:
    """Each contender at its best batch, in turns with the others and with the peaks."""
    for name, one in contenders.items():
        say(f"{name}: the best batch")
        defaults = DEFAULTS[device_of(one.runs_on)]
        if one.unit == "texts":
            one.choose(config.batch_texts or defaults.batch_texts)
        else:
            one.choose(config.batch_tokens or defaults.batch_tokens)
    measured = Measured(*({name: [] for name in names} for names in (contenders, contenders, peaks)))
    for name, phrase in turns(config.rounds, [*contenders, *peaks]):
        say(phrase)
        if name in peaks:
            measured.peaks[name].append(peaks[name].rate(config.seconds))
        else:
            rate, took = contenders[name].measure(config.seconds)
            measured.rates[name].append(rate)
            measured.batches[name].append(took)
    return measured


def _sequences(bundle: Bundle, run: Run, config: EnginesConfig, device: Device) -> list[NDArray[np.int64]]:
    """Test texts in random order, as tokens; again from the first when there are too few."""
    test = [one for example in run.splits().test for one in run.task.inputs(example)]
    order = np.random.default_rng(config.seed).permutation(len(test))
    asked = [test[place] for place in order]
    encoded = bundle.text_encoder().encode(
        [one.text if one.pair is None else (one.text, one.pair) for one in asked]
    )
    count = config.texts or DEFAULTS[device].texts
    return [encoded[place % len(encoded)].ids for place in range(count)]


def _rows(contenders: Mapping[str, Contender], measured: Measured, size: ModelSize) -> list[Row]:
    """The best engine has the target."""
    ours = [name for name in contenders if name != EAGER]
    best = max(ours, key=lambda name: median(measured.rates[name]), default=None)
    fastest = max(measured.peaks, key=lambda name: median(measured.peaks[name]))
    rows = [
        Row(
            name,
            [value / 1e12 for value in values],
            unit="TFLOP/s",
            note="products of two square matrices in torch; on a CPU other libraries may pass it",
        )
        for name, values in measured.peaks.items()
    ]
    for name in sorted(contenders, key=lambda name: -median(measured.rates[name])):
        lengths = contenders[name].lengths
        flops = size.flops(lengths) / sum(lengths)
        rows += _contender_rows(contenders[name], measured, flops, fastest)
        if name in ours:
            wanted = OVER_EAGER if name == best else None
            rows.append(_over_eager(name, measured.rates, wanted))
    return rows


def _contender_rows(one: Contender, measured: Measured, flops: float, peak: str) -> list[Row]:
    rates, took = measured.rates[one.name], measured.batches[one.name]
    shares = ratios([flops * rate for rate in rates], measured.peaks[peak])
    return [
        Row(
            one.name,
            rates,
            unit="tokens/s",
            note=f"{one.runs_on}, batches of up to {one.size} {one.unit}, the best size tried; padding not"
            " counted",
        ),
        Row(
            f"{one.name}: share of the {peak}",
            shares,
            note=f"model FLOPs, {digits(flops / 1e6)} million a token (PaLM, appendix B)",
        ),
        *(
            Row(
                f"{one.name}: p{percent} of a batch",
                [1e3 * float(np.percentile(seconds, percent)) for seconds in took],
                unit="ms",
                note=f"{len(one.batches)} batches a pass, from token ids to outputs",
            )
            for percent in (50, 99)
        ),
    ]


def _over_eager(name: str, rates: Mapping[str, Sequence[float]], target: Target | None) -> Row:
    ratio, (low, high) = mean_ratio(rates[name], rates[EAGER])
    return Row(
        f"{name}: over {EAGER}",
        ratios(rates[name], rates[EAGER]),
        target,
        note=f"geometric mean {digits(ratio)}, {CONFIDENCE:.0%} interval {digits(low)} to {digits(high)}",
    )


def _device_name(device: Device, threads: int) -> str:
    if device == "cuda":
        return torch.cuda.get_device_name(device)
    return f"{threads} thread{'s' * (threads > 1)} of the CPU"
