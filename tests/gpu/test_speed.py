"""How quickly the engines compute in-process, beside padded PyTorch and the card's own matrix products."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Any

import numpy as np
import pytest
from line import SHAPES, Line

TEXTS = 8192
ROUNDS, SECONDS = 3, 0.5
OVER_EAGER = 3.0
LONE_CALLS = 200


@dataclass(frozen=True)
class Speed:
    """Medians of rounds in turn."""

    tokens_per_second: Mapping[str, float]
    """Of padded PyTorch and of each engine that can be had here."""
    peak: float
    """Operations a second of bf16 matrix products."""
    flops_per_token: float
    alone: Mapping[str, Any]
    """Seconds of texts computed alone, by engine."""
    missing: Mapping[str, str]
    """Why an engine can't be had, by its name."""


@pytest.mark.parametrize("shape", SHAPES)
def test_engines_beside_padded_pytorch(
    shape: str, lines: Callable[[str], Line], device: Any, rehearsal: bool, figure: Callable[..., None]
) -> None:
    if rehearsal:
        found = measure(lines(shape), device, texts=32, sizes=((64,), (8,)), seconds=0.01)
    else:
        found = measure(lines(shape), device)
    eager, *engines = found.tokens_per_second
    assert engines, found.missing
    rates = found.tokens_per_second
    best = max(engines, key=lambda name: rates[name])
    figure(f"{shape}: {eager}", rates[eager], "tokens/s")
    figure("bf16 matrix product", found.peak / 1e12, "TFLOP/s")
    for name in engines:
        figure(f"{shape}: {name}", rates[name], "tokens/s")
        target = {"at_least": OVER_EAGER} if name == best else {}
        figure(f"{shape}: {name}, over {eager}", rates[name] / rates[eager], **target)
        share = found.flops_per_token * rates[name] / found.peak
        figure(f"{shape}: {name}, model FLOPs as a share of the bf16 product", share)
        for percent in (50, 99):
            milliseconds = 1e3 * np.percentile(found.alone[name], percent)
            figure(f"{shape}: {name}, a text alone, p{percent}", milliseconds, "ms")
    # Below that something is broken; what is merely missed stands in the results.
    assert rehearsal or rates[best] > rates[eager]


def measure(
    line: Line,
    device: Any,
    *,
    texts: int = TEXTS,
    sizes: tuple[tuple[int, ...], tuple[int, ...]] | None = None,
    seconds: float = SECONDS,
) -> Speed:
    """Every engine of the line's bundle at its best batch, in turns with PyTorch and the peak.

    ``sizes``: the batches to try, in tokens for the engines and in texts for PyTorch; those of ``strop
    bench-engines`` by default.
    """
    import torch

    from strop.bench.engines.contenders import EAGER, Contender, eager, engines
    from strop.bench.engines.defaults import DEFAULTS
    from strop.bench.engines.flops import ModelSize
    from strop.export.bundle import Bundle
    from strop.matrix_product import MatrixProduct
    from strop.train.run import Run

    bundle, run = Bundle.open(line.bundle), Run.open(line.run)
    asked = [one.text for example in run.splits().test for one in run.task.inputs(example)]
    known = [encoded.ids for encoded in bundle.text_encoder().encode(asked)]
    sequences = [known[number % len(known)] for number in range(texts)]
    model = run.merged_model()
    size = ModelSize.of(model)
    contenders = {EAGER: eager(model, device, bundle.reference.layout.pad_token_id, sequences)}
    missing = {}
    # fp32 is the reference of all others, and measured where there is none.
    names = [one.name for one in bundle.manifest.variants][1:] or [bundle.reference.name]
    for name, engine in engines(bundle, names, {"cpu": sequences, "cuda": sequences}, 1):
        if isinstance(engine, Contender):
            contenders[name] = engine
        else:
            missing[name] = str(engine)
    tokens, rows = sizes or (DEFAULTS[device].batch_tokens, DEFAULTS[device].batch_texts)
    for one in contenders.values():
        one.choose(rows if one.unit == "texts" else tokens)
    peak = MatrixProduct(torch.bfloat16, device)
    rates: dict[str, list[float]] = {name: [] for name in contenders}
    peaks = []
    for _ in range(ROUNDS):
        for name, one in contenders.items():
            rates[name].append(one.measure(seconds)[0])
        peaks.append(peak.rate(seconds))
    engines_alone = {
        name: [_seconds(one.compute, sequence) for sequence in sequences[:LONE_CALLS]]
        for name, one in contenders.items()
        if name != EAGER
    }
    return Speed(
        {name: median(values) for name, values in rates.items()},
        median(peaks),
        size.flops(map(len, sequences)) / sum(map(len, sequences)),
        engines_alone,
        missing,
    )


def _seconds(compute: Callable[[Any], object], sequence: Any) -> float:
    started = time.perf_counter()
    compute([sequence])
    return time.perf_counter() - started
