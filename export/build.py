"""A run to a bundle: merge, write graphs, measure them, gate them, seal what passed."""

import random
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedModel

from strop.host import read_host, read_versions
from strop.train.run import Run

from .bundle import Encoded, GoldenExample, Manifest, PackedLayout, Session, TextEncoder, Variant
from .bundle.golden import write_golden
from .bundle.manifest import GOLDEN_FILE, TOKENIZER_FILE
from .config import ExportConfig
from .evaluate import BATCH_TOKENS, HeldOut, Measurement, class_indices, measure
from .gate import Verdict
from .graph import export_graph
from .packed import packed_layout
from .precision import PRECISIONS, Precision
from .precision.calibration import Calibration, Feeds
from .precision.divergence import Divergence
from .report import REPORT_FILE, Candidate, markdown
from .writer import seal, staged

REFERENCE = "fp32"
PROVIDER = "CPUExecutionProvider"
PACKAGES = ("numpy", "onnx", "onnxruntime", "onnxscript", "peft", "torch", "transformers")


class Progress(Protocol):
    """Whoever watches a build."""

    def step(self, name: str) -> None:
        """A named step begins."""

    def measured(self, texts: int, total: int) -> None:
        """``texts`` of ``total`` held-out texts are measured."""


@dataclass(frozen=True)
class _Source:
    """The run's model and data, in the form that every step reads."""

    run: Run
    model: PreTrainedModel
    layout: PackedLayout
    calibration: Sequence[Encoded]
    held_out: HeldOut

    @classmethod
    def open(cls, config: ExportConfig) -> "_Source":
        run = Run.open(config.run)
        splits = run.splits()
        model = run.merged_model()
        encoder = TextEncoder(run.tokenizer_file, run.max_tokens)
        train = [example.text for example in splits.train]
        count = min(config.calibration_texts, len(train))
        return cls(
            run=run,
            model=model,
            layout=packed_layout(model),
            calibration=encoder.encode(random.Random(config.seed).sample(train, count)),
            held_out=HeldOut(
                texts=tuple(example.text for example in splits.test),
                encoded=tuple(encoder.encode([example.text for example in splits.test])),
                labels=class_indices([example.label for example in splits.test], run.labels),
            ),
        )

    def calibration_batches(self) -> Iterable[list[NDArray[np.int64]]]:
        return self.layout.batches([text.ids for text in self.calibration], BATCH_TOKENS)

    def calibration_feeds(self) -> Iterable[Feeds]:
        return map(self.layout.feeds, self.calibration_batches())


def build(
    config: ExportConfig, progress: Progress, recipes: Mapping[str, Precision] = PRECISIONS
) -> list[Candidate]:
    """Write the bundle of ``config.run`` and return every variant that was tried.

    Raises ``InputError`` when the run is incomplete, its data changed, or the bundle exists, and
    ``StropError`` when the ONNX graph does not agree with torch.
    """
    with staged(config.bundle_path) as stage:
        progress.step("merging the adapter")
        source = _Source.open(config)
        wanted = {name: recipes[name] for name in config.recipes}
        graphs = _write_graphs(stage, wanted, source, progress)
        progress.step("measuring on the held-out split")
        measurements = measure(
            {name: Session(path, provider=PROVIDER) for name, path in graphs.items()},
            source.layout,
            source.held_out,
            progress.measured,
        )
        golden = _golden_indices(config, source.held_out)
        providers = {REFERENCE: PROVIDER, **{name: recipe.provider for name, recipe in wanted.items()}}
        candidates = [
            _candidate(config, source, name, providers[name], graphs[name], measurements, golden)
            for name in graphs
        ]
        progress.step("sealing the bundle")
        for candidate in candidates:
            if not candidate.verdict.passed:
                shutil.rmtree(graphs[candidate.variant.name].parent)
        _write_rest(stage, config, source, candidates, measurements[REFERENCE], golden)
    return candidates


def _write_graphs(
    stage: Path, recipes: Mapping[str, Precision], source: _Source, progress: Progress
) -> dict[str, Path]:
    """The reference graph and one for each recipe, by variant name."""
    graphs = {name: stage / "variants" / name / "model.onnx" for name in (REFERENCE, *recipes)}
    for path in graphs.values():
        path.parent.mkdir(parents=True)
    progress.step("writing the fp32 graph")
    examples = next(iter(source.calibration_batches()))
    export_graph(source.model, source.layout, examples, graphs[REFERENCE])
    divergence = Divergence(graphs[REFERENCE], source.calibration_feeds)
    calibration = Calibration(source.calibration_feeds, divergence)
    for name, recipe in recipes.items():
        progress.step(f"compressing to {name}")
        recipe.write(graphs[REFERENCE], graphs[name], calibration)
    return graphs


def _candidate(
    config: ExportConfig,
    source: _Source,
    name: str,
    provider: str,
    graph: Path,
    measurements: Mapping[str, Measurement],
    golden: Sequence[int],
) -> Candidate:
    found, reference = measurements[name], measurements[REFERENCE]
    metrics = found.metrics(source.held_out, reference)
    wanted = reference.metrics(source.held_out, reference)
    verdict = Verdict(metrics["accuracy"], wanted["accuracy"], config.gate)
    drift = np.abs(found.probabilities - reference.probabilities)[list(golden)].max()
    return Candidate(
        Variant(
            name=name,
            file=f"variants/{name}/model.onnx",
            layout=source.layout,
            provider=provider,
            bytes=graph.stat().st_size,
            metrics=metrics,
            share_of_reference=verdict.share,
            tokens_per_second=found.tokens_per_second,
            # Another CPU's kernels round otherwise: half as much again, and 0.001 for fp32.
            golden_tolerance=1.5 * float(drift) + 1e-3,
        ),
        verdict,
    )


def _golden_indices(config: ExportConfig, held_out: HeldOut) -> list[int]:
    count = min(config.golden_examples, len(held_out.texts))
    return sorted(random.Random(config.seed).sample(range(len(held_out.texts)), count))


def _write_rest(
    stage: Path,
    config: ExportConfig,
    source: _Source,
    candidates: Sequence[Candidate],
    reference: Measurement,
    golden: Sequence[int],
) -> None:
    """Tokenizer, golden examples, report and, last, the manifest."""
    shutil.copyfile(source.run.tokenizer_file, stage / TOKENIZER_FILE)
    write_golden(
        stage / GOLDEN_FILE,
        (
            GoldenExample(source.held_out.texts[i], tuple(map(float, reference.probabilities[i])))
            for i in golden
        ),
    )
    (stage / REPORT_FILE).write_text(
        markdown(config.bundle_name, candidates, len(source.held_out.texts)), encoding="utf-8"
    )
    shipped = [candidate.variant for candidate in candidates if candidate.verdict.passed]
    measured_here = [variant for variant in shipped if variant.provider == PROVIDER]
    seal(
        stage,
        Manifest(
            name=config.bundle_name,
            version=config.version,
            task="text-classification",
            labels=source.run.labels,
            max_tokens=source.run.max_tokens,
            default_variant=max(measured_here, key=lambda variant: variant.tokens_per_second).name,
            variants=tuple(shipped),
            provenance={
                "run": source.run.root.resolve().name,
                "base_model": _portable(source.run.base_model),
                "data_sha256": source.run.data_sha256,
                "held_out_texts": len(source.held_out.texts),
                "gate": config.gate,
                "seed": config.seed,
                "calibration_texts": len(source.calibration),
                "refused": [str(c) for c in candidates if not c.verdict.passed],
                "host": asdict(read_host()),
                "versions": read_versions(PACKAGES),
            },
            files={},
        ),
    )


def _portable(base_model: str) -> str:
    """A hub id as it is, a folder by its name alone: where it lay is nobody else's business."""
    return Path(base_model).name if Path(base_model).is_absolute() else base_model
