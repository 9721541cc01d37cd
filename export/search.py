"""The search: which recipes are worth shipping, found by making and measuring them one after the other.

It chooses by the validation split, so that the test split, which decides what ships, has had no part
in it. What was measured is kept in a ledger; a search that is run again goes on from it.
"""

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from strop.host import read_host, read_versions

from .bundle import Session
from .config import ExportConfig
from .evaluate import measure
from .footprint import peak_bytes
from .gate import Verdict
from .recipe import REFERENCE, Recipe, Shape
from .shapes.anatomy import anatomy
from .source import Source
from .workshop import Progress, Workshop

LEDGER_FILE = "ledger.jsonl"
TEXTS = 2000
"""Validation texts that a recipe is measured on, at most."""
HOPELESS = 0.01
"""Below the gate by so much of fp32's accuracy, a form is not cut any further."""
PACKAGES = ("onnx", "onnxruntime", "peft", "torch", "transformers")
WHOLE = Recipe(Shape(), REFERENCE)


@dataclass(frozen=True)
class Trial:
    """What one recipe was worth on the validation split and this machine."""

    recipe: str
    score: float
    """The task's first metric."""
    share: float
    """Of fp32's score."""
    interval: tuple[float, float]
    """95 % interval of that share."""
    agreement: float
    speedup: float
    """Over fp32, both measured in turn, one thread, in batches."""
    milliseconds_alone: float
    bytes: int
    peak_bytes: int
    seconds: float
    """What making it took."""

    @property
    def cost(self) -> float:
        """Of a text, as a share of what fp32 costs on the same machine."""
        return 1 / self.speedup


class Ledger:
    """The trials of one search, a line each; a line that was cut off is as if it had never been."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / LEDGER_FILE
        self.trials: dict[str, Trial] = {}
        if self._path.exists():
            for line in self._path.read_text(encoding="utf-8").splitlines():
                try:
                    fields = json.loads(line)
                    trial = Trial(**{**fields, "interval": tuple(fields["interval"])})
                except (KeyError, ValueError, TypeError):
                    continue
                self.trials[trial.recipe] = trial

    def add(self, trial: Trial) -> None:
        """Write a trial down."""
        self.trials[trial.recipe] = trial
        with self._path.open("a", encoding="utf-8") as file:
            # The break first: a line that was cut off must not take this one with it.
            file.write("\n" + json.dumps(asdict(trial)))


def search_folder(config: ExportConfig, source: Source) -> Path:
    """Where the search of a run is kept: one folder for each thing that would change its figures."""
    facts = {
        "data": source.run.data_sha256,
        "weights": _digest(source),
        "unlabelled": len(source.lessons),
        "recover": config.recover,
        "calibration_texts": config.calibration_texts,
        "seed": config.seed,
        "exporter": config.exporter,
        "cpu": str(read_host()),
        "versions": read_versions(PACKAGES),
    }
    name = hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()[:12]
    return source.run.root / "search" / name


def _digest(source: Source) -> str:
    digest = hashlib.sha256()
    for tensor in source.model.state_dict().values():
        digest.update(tensor.numpy().tobytes())
    return digest.hexdigest()


def search(
    config: ExportConfig,
    source: Source,
    workshop: Workshop,
    ledger: Ledger,
    precisions: Sequence[str],
    progress: Progress,
) -> list[Trial]:
    """Try recipes until ``config.minutes`` have passed or none is left; returns all trials there are.

    First every precision of the whole model, then shapes, in ``next_shape``'s order, in those
    precisions that nothing beat on the whole model. A recipe that would not be done in time, by what
    the last one of its kind took, is left out.
    """
    bench = _Bench(config, source, workshop, ledger, progress)
    whole = [bench.trial(Recipe(Shape(), precision)) for precision in (REFERENCE, *precisions)]
    front = pareto([trial for trial in whole if trial and trial.share >= config.gate])
    good = [Recipe.parse(trial.recipe, tuple(precisions)).precision for trial in front]
    order, tried = shapes(source), dict[Shape, float]()
    while shape := next_shape(order, tried, config.gate):
        found = [trial for name in good if (trial := bench.trial(Recipe(shape, name)))]
        tried[shape] = max((trial.share for trial in found), default=0.0)
    return list(ledger.trials.values())


def next_shape(order: Sequence[Shape], tried: Mapping[Shape, float], gate: float) -> Shape | None:
    """The shape whose trial promises most, of ``order``, mildest first; None when none promises any.

    ``tried`` says which share of fp32's accuracy each shape kept. First comes the middle one of those
    between the smallest within the gate and the next below it, which halves the way to the smallest
    that is good enough. Then what is smaller still, since a shape is more than its size, and last
    what can only be more accurate. What is within a shape far below the gate is left out.
    """
    places = {shape: place for place, shape in enumerate(order)}
    good = max((places[shape] for shape, share in tried.items() if share >= gate), default=-1)
    bad = min((places[shape] for shape in tried if places[shape] > good), default=len(order))
    lost = [shape for shape, share in tried.items() if share < gate - HOPELESS]
    left = [one for one in order if one not in tried and not any(one.within(shape) for shape in lost)]
    if between := [shape for shape in left if good < places[shape] < bad]:
        return between[len(between) // 2]
    if smaller := [shape for shape in left if places[shape] > bad]:
        return smaller[0]
    return left[-1] if left else None


class _Bench:
    """Makes and measures recipes while there is time; the reference always."""

    def __init__(
        self, config: ExportConfig, source: Source, workshop: Workshop, ledger: Ledger, progress: Progress
    ) -> None:
        self._end = time.monotonic() + 60 * config.minutes
        self._layout = source.layout
        self._texts = source.validation.first(TEXTS)
        self._gate, self._seed = config.gate, config.seed
        self._workshop = workshop
        self._ledger = ledger
        self._progress = progress
        self._took: dict[bool, float] = {}
        """Seconds for the last recipe that had to be taught, and for the last that had not."""

    @cached_property
    def _reference(self) -> Session:
        return Session(self._workshop.graph(WHOLE))

    def trial(self, recipe: Recipe) -> Trial | None:
        """What the ledger knows of a recipe, or else finds out; None when there is no time for it."""
        name = str(recipe)
        if name not in self._ledger.trials:
            started = time.monotonic()
            taught = not self._workshop.has(Recipe(recipe.shape, REFERENCE)) and not recipe.shape.whole
            if started + self._took.get(taught, 0.0) > self._end and recipe != WHOLE:
                return None
            self._ledger.add(self._measure(recipe, started))
            self._took[taught] = time.monotonic() - started
        return self._ledger.trials[name]

    def _measure(self, recipe: Recipe, started: float) -> Trial:
        name, graph = str(recipe), self._workshop.graph(recipe)
        made = time.monotonic() - started
        self._progress.step(f"measuring {name}")
        sessions = {REFERENCE: self._reference, name: Session(graph)}
        found = measure(sessions, self._layout, self._texts, self._progress.advanced)
        ours, theirs = (self._texts.tally(found[one].outputs) for one in (name, REFERENCE))
        verdict = Verdict.of(self._texts.task, ours, theirs, self._gate, self._seed)
        return Trial(
            recipe=name,
            score=verdict.score,
            share=verdict.share,
            interval=verdict.interval,
            agreement=self._texts.task.agreement(found[name].outputs, found[REFERENCE].outputs),
            speedup=found[name].speedup,
            milliseconds_alone=found[name].milliseconds_alone,
            bytes=graph.stat().st_size,
            peak_bytes=peak_bytes(graph, self._layout),
            seconds=made,
        )


def shapes(source: Source) -> list[Shape]:
    """Shapes worth trying, the mildest first: by what part of the layers' products is left."""
    config = source.model.config
    layers, heads = int(config.num_hidden_layers), int(config.num_attention_heads)
    depths = [None, *sorted({n for n in (layers * 2 // 3, layers // 2, layers // 3) if 0 < n < layers})]
    widths: list[tuple[int | None, int | None]] = [(None, None), (None, 50)]
    if anatomy(source.model).heads_are_apart:
        widths.append((heads // 2 or None, 50))
    found = {
        Shape(depth, head, ffn)
        for depth in depths
        for head, ffn in widths
        if (depth, head, ffn) != (None, None, None)
    }

    def left(shape: Shape) -> float:
        # In a layer attention has 4 products of hidden × hidden and the feed-forward part 8.
        attention = 4 * (shape.heads or heads) / heads
        return (shape.layers or layers) * (attention + 8 * (shape.ffn or 100) / 100)

    return sorted(found, key=lambda shape: (-left(shape), str(shape)))


def pareto(trials: Sequence[Trial]) -> list[Trial]:
    """Those that no other beats in accuracy at no more cost, from the cheapest on."""
    front: list[Trial] = []
    for trial in sorted(trials, key=lambda one: (one.cost, -one.score)):
        if not front or trial.score > front[-1].score:
            front.append(trial)
    return front
