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
from torch import Tensor
from transformers import PreTrainedModel

from strop.errors import StropError
from strop.tasks import IGNORED, Task
from strop.train.heads import HEADS

from .bundle import Layout, Session, by_input
from .packed import PackedModel

OPSET = 20
# ONNX Runtime sums in another order than torch; MiniLM-L6 differs by about 1e-6.
PARITY = 1e-3


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


def require_parity(
    model: PreTrainedModel,
    task: Task,
    layout: Layout,
    examples: Sequence[NDArray[np.int64]],
    path: Path,
) -> None:
    """Compare a graph's logits with the model's, which takes the examples one at a time.

    Raises ``StropError`` when any differs by more than ``PARITY``.
    """
    head = HEADS[task.head]
    with torch.no_grad():
        wanted = [head.answers(model, _alone(sequence, layout))[0][0].numpy() for sequence in examples]
    found = by_input(task, layout, Session(path).run(layout.feeds(examples)), examples)
    difference = max(float(np.abs(a - b).max()) for a, b in zip(found, wanted, strict=True))
    if not difference <= PARITY:
        raise StropError(
            f"the ONNX graph's logits differ from torch's by {difference:.2g}, more than {PARITY:g}"
        )


def _alone(sequence: NDArray[np.int64], layout: Layout) -> dict[str, Tensor]:
    """A sequence of ``Layout.feeds`` as a model takes it alone, labelled where a mask is to be told."""
    columns = torch.from_numpy(sequence).reshape(len(sequence), -1).T
    inputs = dict(zip(("input_ids", "token_type_ids"), columns[:, np.newaxis], strict=False))
    ids = inputs["input_ids"]
    masks = torch.full_like(ids, -1 if layout.mask_token_id is None else layout.mask_token_id)
    labels = torch.where(ids == masks, ids, IGNORED)
    return inputs | {"attention_mask": torch.ones_like(ids), "labels": labels}


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
