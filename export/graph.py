"""A trained model to an ONNX graph in the packed layout, checked against torch."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

from strop.tasks import Task

from .bundle import Layout
from .packed import PackedModel
from .parity import require_parity

OPSET = 20


def export_graph(
    model: PreTrainedModel,
    task: Task,
    layout: Layout,
    examples: Sequence[NDArray[np.int64]],
    path: Path,
) -> None:
    """Write ``model`` to ``path`` and compare its logits with the model's.

    The graph takes the inputs of a packed ``layout`` and of its padded form. Raises ``StropError`` when
    they differ.
    """
    # Traced as a rectangle of two rows: the exporter would take a dimension of 1 for a constant.
    packed = PackedModel(model, task, token_types=examples[0].ndim == 2)
    feeds = layout.padded().feeds([examples[0]] * 2)
    traced = {name: feeds[name] for name in packed.inputs}
    with _quiet(), torch.no_grad():  # else the exporter traces what gradients would need, too
        program = torch.onnx.export(
            packed,
            kwargs={name: torch.from_numpy(array) for name, array in traced.items()},
            dynamo=True,
            opset_version=OPSET,
            input_names=list(traced),
            output_names=["logits"],
            dynamic_shapes={
                name: dict.fromkeys(range(array.ndim), torch.export.Dim.DYNAMIC)
                for name, array in traced.items()
            },
            verbose=False,
        )
        program = cast(torch.onnx.ONNXProgram, program)
        for node in program.model.graph.all_nodes():
            # It names the source file of each operator, and those lie elsewhere on every machine.
            node.metadata_props.clear()
        program.save(path, external_data=False)
    require_parity(model, task, layout, examples, path)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Hold back the exporter's progress and its warnings about packages we don't use."""
    exporter = logging.getLogger("torch.onnx")
    level = exporter.level
    exporter.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        exporter.setLevel(level)
