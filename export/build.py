"""A run to a bundle: make the variants, measure them, gate them, seal what passed."""

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from strop.errors import InputError
from strop.host import read_host, read_versions
from strop.staging import staged

from .bundle import (
    Encoded,
    GoldenExample,
    Manifest,
    Profile,
    Profiler,
    Variant,
    count_windows,
)
from .bundle.golden import write_golden
from .bundle.manifest import GOLDEN_FILE, TOKENIZER_FILE
from .card import CARD_FILE, Card
from .config import ExportConfig
from .evaluate import Measurement
from .forms import Form
from .judge import judge
from .plots import PARETO_FILE, draw_pareto
from .providers import CPU, TENSORRT, TORCH
from .recipe import REFERENCE, Recipe
from .refusals import refuse_cuts, refuse_unattended, refuse_uncuttable
from .report import REPORT_FILE, Report
from .search import WHOLE, Ledger, Trial, pareto, search, search_folder
from .source import Source, text_of
from .trained import base_name, caveat, further_adapters
from .workshop import BY_EXPORTER, Progress, Workshop
from .writer import seal

PACKAGES = ("numpy", "onnx", "onnxruntime", "onnxscript", "peft", "torch", "transformers")


def build(config: ExportConfig, progress: Progress, forms: Mapping[str, Form] | None = None) -> Report:
    """Write the bundle of ``config.run``; returns what was found on the way.

    Raises ``InputError`` when the run is incomplete, its data changed, a recipe asks for more than
    the model has, or the bundle exists, and ``StropError`` when a graph does not agree with torch.
    """
    forms = BY_EXPORTER[config.exporter] if forms is None else forms
    recipes = [Recipe.parse(text, tuple(forms)) for text in config.recipes]
    if config.exporter == "optimum":
        refuse_cuts(config, recipes)
    if config.exporter == "torch-export" and config.search:
        raise InputError("--search looks among ONNX graphs; leave it out, or --exporter torch-export")
    with staged(config.bundle_path) as stage:
        progress.step("merging the adapter")
        source = Source.open(config)
        refuse_uncuttable(config, source, recipes)
        refuse_unattended(config, source, recipes, forms)
        with _work_folder(config, source) as folder:
            workshop = Workshop(source, config, folder, progress, forms)
            trials: list[Trial] = []
            if config.search:
                here = [name for name, one in forms.items() if one.provider == CPU]
                trials = search(config, source, workshop, Ledger(folder), here, progress)
                front = pareto([trial for trial in trials if trial.share >= config.gate])
                recipes = [Recipe.parse(trial.recipe, tuple(forms)) for trial in front]
            providers = {str(recipe): _provider(config, recipe, forms) for recipe in (WHOLE, *recipes)}
            made = {str(recipe): workshop.graph(recipe) for recipe in (WHOLE, *recipes)}
            candidates, found = judge(config, source, made, providers, progress)
            progress.step("sealing the bundle")
            for candidate in candidates:
                if candidate.verdict.passed:
                    file = stage / candidate.variant.file
                    file.parent.mkdir(parents=True)
                    shutil.copyfile(made[candidate.variant.name], file)
            report = Report(
                name=config.bundle_name,
                candidates=candidates,
                metric=source.task.metrics[0],
                texts=len(source.held_out.examples),
                tokens_per_text=_tokens_per_text(source.held_out.encoded),
                gate=config.gate,
                price_per_hour=config.price_per_hour,
                caveat=caveat(source.run),
                trials=trials,
            )
            _write_rest(stage, config, source, report, found)
    return report


@contextlib.contextmanager
def _work_folder(config: ExportConfig, source: Source) -> Iterator[Path]:
    """Where graphs are made: a search's stays with the run, any other goes again."""
    if config.search:
        folder = search_folder(config, source)
        folder.mkdir(parents=True, exist_ok=True)
        yield folder
    else:
        with tempfile.TemporaryDirectory(prefix="strop-") as temporary:
            yield Path(temporary)


def _provider(config: ExportConfig, recipe: Recipe, forms: Mapping[str, Form]) -> str:
    if recipe.shape.sparse24:
        return TENSORRT  # to all others its zeros are numbers like any
    if recipe.precision == REFERENCE:
        return TORCH if config.exporter == "torch-export" else CPU
    return forms[recipe.precision].provider


def _tokens_per_text(encoded: Sequence[Encoded]) -> float:
    """The mean over texts, all windows of one together."""
    return sum(len(one.ids) for one in encoded) / len(count_windows(encoded))


def _profile(source: Source, reference: Measurement) -> Profile:
    """How the held-out texts and the reference's answers are spread."""
    held_out = source.held_out
    return Profiler(source.task, source.run.labels, source.encoder).profile(
        held_out.encoded, reference.outputs
    )


def _default(config: ExportConfig, shipped: Sequence[Variant]) -> Variant:
    """Of those for this machine the cheapest that keeps to the SLO, or else the quickest alone."""
    here = [one for one in shipped if one.provider == shipped[0].provider]
    within = [one for one in here if one.milliseconds_alone <= (config.slo_ms or float("inf"))]
    if not within:
        return min(here, key=lambda one: one.milliseconds_alone)
    return max(within, key=lambda one: one.speedup)


def _write_rest(
    stage: Path,
    config: ExportConfig,
    source: Source,
    report: Report,
    found: Mapping[str, Measurement],
) -> None:
    """Tokenizer, golden examples, card, report and, last, the manifest."""
    shutil.copyfile(source.run.tokenizer_file, stage / TOKENIZER_FILE)
    held_out = source.held_out
    golden = (
        GoldenExample(text_of(held_out.inputs[i]), answer, held_out.encoded[i].window)
        for i, answer in found[REFERENCE].golden.items()
    )
    write_golden(stage / GOLDEN_FILE, golden)
    shipped = [candidate.variant for candidate in report.candidates if candidate.verdict.passed]
    if report.trials:
        draw_pareto(stage / PARETO_FILE, report.trials, source.task.metrics[0], config.gate)
    (stage / REPORT_FILE).write_text(report.markdown(), encoding="utf-8")
    answers_of = {name: one.outputs for name, one in found.items()}
    card = Card(config, source.run, source.held_out, report.candidates, answers_of)
    (stage / CARD_FILE).write_text(card.markdown(), encoding="utf-8")
    seal(
        stage,
        Manifest(
            name=config.bundle_name,
            version=config.version,
            task=source.task.name,
            labels=source.run.labels,
            pairs=source.pairs,
            token_types=source.token_types,
            max_tokens=source.run.max_tokens,
            default_variant=_default(config, shipped).name,
            variants=tuple(shipped),
            provenance={
                "run": source.run.root.resolve().name,
                "base_model": base_name(source.run),
                "own_weight": config.own_weight,
                "adapters": [f"{a.name}={a.weight:g}" for a in further_adapters(config, source.run)],
                "data_sha256": source.run.data_sha256,
                "held_out_texts": len(source.held_out.examples),
                "exporter": config.exporter,
                "gate": config.gate,
                "seed": config.seed,
                "calibration_texts": len(source.calibration),
                "recover_epochs": config.recover,
                "refused": [str(c) for c in report.candidates if not c.verdict.passed],
                "host": asdict(read_host()),
                "versions": read_versions(PACKAGES),
            },
            files={},
            profile=_profile(source, found[REFERENCE]),
            pooling=source.task.pooling,
        ),
    )
