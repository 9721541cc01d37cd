"""Variants measured on the held-out split, each held against the fp32 reference."""

import random
from collections.abc import Mapping
from pathlib import Path

from .bundle import Variant, open_runner
from .config import ExportConfig
from .evaluate import Measurement, measure
from .footprint import peak_bytes
from .gate import Verdict
from .recipe import REFERENCE
from .report import Candidate
from .source import Source
from .workshop import Progress, facts_of


def judge(
    config: ExportConfig,
    source: Source,
    graphs: Mapping[str, Path],
    providers: Mapping[str, str],
    progress: Progress,
) -> tuple[list[Candidate], dict[str, Measurement]]:
    """Every variant of ``graphs``, by name, judged on the held-out split, and what each did there."""
    progress.step("measuring on the held-out split")
    sessions = {name: open_runner(path) for name, path in graphs.items()}
    golden = _golden_indices(config, source)
    found = measure(sessions, source.layout, source.held_out, progress.advanced, golden)
    reference = found[REFERENCE]
    whole = source.held_out.tally(reference.outputs)
    candidates = []
    for name, graph in graphs.items():
        ours = source.held_out.tally(found[name].outputs)
        verdict = Verdict.of(source.task, ours, whole, config.gate, config.seed)
        drift = max(source.task.difference(found[name].golden[i], reference.golden[i]) for i in golden)
        variant = Variant(
            name=name,
            file=f"variants/{name}/{graph.name}",
            layout=source.layout,
            provider=providers[name],
            bytes=graph.stat().st_size,
            peak_bytes=peak_bytes(graph, source.layout),
            metrics=found[name].metrics(source.held_out, reference),
            share_of_reference=verdict.share,
            share_interval=verdict.interval,
            tokens_per_second=found[name].tokens_per_second,
            speedup=found[name].speedup,
            milliseconds_alone=found[name].milliseconds_alone,
            # Another CPU's kernels round otherwise: half as much again, and 0.001 for fp32.
            golden_tolerance=1.5 * drift + 1e-3,
            facts=facts_of(graph),
        )
        candidates.append(Candidate(variant, verdict))
    return candidates, found


def _golden_indices(config: ExportConfig, source: Source) -> list[int]:
    there = len(source.held_out.encoded)
    return sorted(random.Random(config.seed).sample(range(there), min(config.golden_examples, there)))
