"""The workshop: makes the graph of a recipe, each shape cut and taught only once."""

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, partial
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from strop.tasks import Task
from strop.train.batches import Row

from .bundle import PROGRAM_SUFFIX, Layout
from .config import ExportConfig
from .forms import FORMS, Form
from .graph import export_graph
from .optimum.graphs import OPTIMUM_PRECISIONS, export_through_optimum
from .precision.calibration import Calibration, Feeds
from .precision.divergence import Divergence
from .precision.record import recorded
from .precision.sparsity import record_sparsity
from .program.forms import PROGRAMS, ProgramForm
from .program.write import export_program
from .recipe import REFERENCE, Recipe, Shape
from .shapes import (
    Importance,
    Lesson,
    cut,
    encoder_linears,
    held_sparse,
    measure_importance,
    sparse_masks,
    teach,
    trim_vocabulary,
)
from .source import Source

SAMPLE_TEXTS = 512
"""Texts on which it is measured what can go, at most."""
Exporter = Callable[[PreTrainedModel, Task, Layout, Sequence[NDArray[np.int64]], Path], None]
"""Writes a model to a file, given examples, and compares its logits with the model's."""
EXPORTERS: Mapping[str, Exporter] = {
    "torch": export_graph,
    "torch-export": export_program,
    "optimum": export_through_optimum,
}
"""What writes the reference."""
BY_EXPORTER: Mapping[str, Mapping[str, Form]] = {
    "torch": FORMS,
    "torch-export": {name: form for name, form in PROGRAMS.items() if form.dtype != "float32"},
    "optimum": OPTIMUM_PRECISIONS,
}
"""The forms that it goes with."""


class Progress(Protocol):
    """Whoever watches an export."""

    def step(self, name: str) -> None:
        """A named step begins."""

    def advanced(self, done: int, total: int) -> None:
        """The step has done so many of its units."""


class Workshop:
    """Makes graphs and programs in a folder and keeps them there: what is there is not made again."""

    def __init__(
        self,
        source: Source,
        config: ExportConfig,
        folder: Path,
        progress: Progress,
        forms: Mapping[str, Form],
    ) -> None:
        self._source = source
        self._config = config
        self._folder = folder
        self._progress = progress
        self._forms = forms
        self._last: tuple[Shape, PreTrainedModel] | None = None
        """What was cut last: graph and program of a shape are written of one model."""

    def has(self, recipe: Recipe) -> bool:
        """Whether the recipe's graph has been made."""
        return self._path(recipe).exists()

    def graph(self, recipe: Recipe) -> Path:
        """The recipe's graph or program; ``InputError`` when it asks for more than the model has."""
        path = self._path(recipe)
        if path.exists():
            return path
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_stem("draft")
        form = self._forms.get(recipe.precision)
        if form is None:
            self._export(recipe, EXPORTERS[self._config.exporter], draft)
        elif isinstance(form, ProgramForm):
            self._export(recipe, partial(export_program, dtype=getattr(torch, form.dtype)), draft)
        else:
            whole = self.graph(Recipe(recipe.shape, REFERENCE))
            self._progress.step(f"compressing to {recipe}")
            divergence = Divergence(whole, self._feeds, self._source.task)
            form.write(whole, draft, Calibration(self._feeds, divergence))
            if recipe.shape.sparse24:
                record_sparsity(draft, int(recorded(whole)["sparse24"]))
        return draft.replace(path)

    def _export(self, recipe: Recipe, exporter: Exporter, draft: Path) -> None:
        model = self._shaped(recipe.shape)
        self._progress.step(f"writing {recipe}")
        examples = next(iter(self._source.calibration_batches()))
        exporter(model, self._source.task, self._source.layout, examples, draft)
        if recipe.shape.sparse24:
            record_sparsity(draft, len(encoder_linears(model)))

    def _path(self, recipe: Recipe) -> Path:
        form = self._forms.get(recipe.precision)
        exported = self._config.exporter == "torch-export" or isinstance(form, ProgramForm)
        return self._folder / str(recipe) / f"model{PROGRAM_SUFFIX if exported else '.onnx'}"

    def _feeds(self) -> Iterable[Feeds]:
        return map(self._source.layout.feeds, self._source.calibration_batches())

    def _shaped(self, shape: Shape) -> PreTrainedModel:
        """The model in a shape, having learnt from the whole one what it lost."""
        if shape.whole:
            return self._source.model
        if self._last and self._last[0] == shape:
            return self._last[1]
        model, kept = cut(self._source.model, shape, self._importance if shape.sizes else None)
        with held_sparse(sparse_masks(model, self._sample) if shape.sparse24 else {}):
            if shape.taught and self._config.recover:
                self._progress.step(f"teaching {shape}")
                lesson = Lesson(
                    self._source.lessons, self._config.recover, self._source.task, seed=self._config.seed
                )
                teach(model, self._source.model, kept, lesson, self._progress.advanced)
        if shape.vocab:
            trim_vocabulary(model, self._source.used_tokens, self._source.unknown)
        self._last = shape, model
        return model

    @cached_property
    def _importance(self) -> Importance:
        self._progress.step("measuring what each part is worth")
        return measure_importance(self._source.model, self._sample, self._source.task)

    @cached_property
    def _sample(self) -> list[Row]:
        """Labelled examples on which it is measured what can go."""
        labelled = self._source.labelled
        return random.Random(self._config.seed).sample(labelled, min(SAMPLE_TEXTS, len(labelled)))


def facts_of(graph: Path) -> dict[str, str]:
    """What is to be known of a graph or program beside its numbers: ``Variant.facts``."""
    if graph.suffix == PROGRAM_SUFFIX:
        return {"torch": torch.__version__}
    return recorded(graph)
