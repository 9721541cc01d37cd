"""The workshop: makes the graph of a recipe, each shape cut and taught only once."""

import random
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Protocol

from transformers import PreTrainedModel

from .config import ExportConfig
from .graph import export_graph
from .optimum.graphs import OPTIMUM_PRECISIONS, export_through_optimum
from .precision import PRECISIONS, Precision
from .precision.calibration import Calibration, Feeds
from .precision.divergence import Divergence
from .recipe import REFERENCE, Recipe, Shape
from .shapes import Importance, Lesson, cut, measure_importance, teach, trim_vocabulary
from .source import Source

IMPORTANCE_TEXTS = 512
BY_EXPORTER: Mapping[str, Mapping[str, Precision]] = {
    "torch": PRECISIONS,
    "optimum": OPTIMUM_PRECISIONS,
}


class Progress(Protocol):
    """Whoever watches an export."""

    def step(self, name: str) -> None:
        """A named step begins."""

    def advanced(self, done: int, total: int) -> None:
        """The step has done so many of its units."""


class Workshop:
    """Makes graphs in a folder and keeps them there; one that is there already is not made again."""

    def __init__(
        self,
        source: Source,
        config: ExportConfig,
        folder: Path,
        progress: Progress,
        precisions: Mapping[str, Precision],
    ) -> None:
        self._source = source
        self._config = config
        self._folder = folder
        self._progress = progress
        self._precisions = precisions

    def has(self, recipe: Recipe) -> bool:
        """Whether the recipe's graph has been made."""
        return self._path(recipe).exists()

    def graph(self, recipe: Recipe) -> Path:
        """The recipe's graph; ``InputError`` when it asks for more than the model has."""
        path = self._path(recipe)
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name("draft.onnx")
        if recipe.precision == REFERENCE:
            model = self._shaped(recipe.shape)
            self._progress.step(f"writing the graph of {recipe}")
            export = export_through_optimum if self._config.exporter == "optimum" else export_graph
            export(
                model,
                self._source.task,
                self._source.layout,
                next(iter(self._source.calibration_batches())),
                draft,
            )
        else:
            whole = self.graph(Recipe(recipe.shape, REFERENCE))
            self._progress.step(f"compressing to {recipe}")
            divergence = Divergence(whole, self._feeds, self._source.task)
            calibration = Calibration(self._feeds, divergence)
            self._precisions[recipe.precision].write(whole, draft, calibration)
        return draft.replace(path)

    def _path(self, recipe: Recipe) -> Path:
        return self._folder / str(recipe) / "model.onnx"

    def _feeds(self) -> Iterable[Feeds]:
        return map(self._source.layout.feeds, self._source.calibration_batches())

    def _shaped(self, shape: Shape) -> PreTrainedModel:
        """The model in a shape, having learnt from the whole one what it lost in size."""
        if shape.whole:
            return self._source.model
        model, kept = cut(self._source.model, shape, self._importance if shape.sizes else None)
        if shape.sizes and self._config.recover:
            self._progress.step(f"teaching {shape}")
            lesson = Lesson(
                self._source.lessons, self._config.recover, self._source.task, seed=self._config.seed
            )
            teach(model, self._source.model, kept, lesson, self._progress.advanced)
        if shape.vocab:
            trim_vocabulary(model, self._source.used_tokens, self._source.unknown)
        return model

    @cached_property
    def _importance(self) -> Importance:
        self._progress.step("measuring what each part is worth")
        labelled = self._source.labelled
        rows = random.Random(self._config.seed).sample(labelled, min(IMPORTANCE_TEXTS, len(labelled)))
        return measure_importance(self._source.model, rows, self._source.task)
