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

from strop.errors import StropError

from .bundle import PackedLayout, Session
from .packed import PackedClassifier

OPSET = 20
# ONNX Runtime sums in another order than torch; MiniLM-L6 differs by about 1e-6.
PARITY = 1e-3


def export_graph(
    model: PreTrainedModel,
    layout: PackedLayout,
    examples: Sequence[NDArray[np.int64]],
    path: Path,
) -> None:
    """Write ``model`` to ``path`` and compare its logits with torch's on ``examples``.

    Raises ``StropError`` when any logit differs by more than ``PARITY``.
    """
    packed = PackedClassifier(model)
    feeds = layout.feeds(examples)
    tensors = {name: torch.from_numpy(array) for name, array in feeds.items()}
    tokens, sequences = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    with _quiet():
        program = torch.onnx.export(
            packed,
            kwargs=tensors,
            dynamo=True,
            opset_version=OPSET,
            input_names=list(feeds),
            output_names=["logits"],
            dynamic_shapes={
                "input_ids": {1: tokens},
                "position_ids": {1: tokens},
                "segment_ids": {1: tokens},
                "starts": {0: sequences},
            },
            verbose=False,
        )
        cast(torch.onnx.ONNXProgram, program).save(path, external_data=False)
    with torch.no_grad():
        expected = packed(**tensors).numpy()
    difference = float(np.abs(Session(path).run(feeds) - expected).max())
    if not difference <= PARITY:
        raise StropError(
            f"the ONNX graph's logits differ from torch's by {difference:.2g}, more than {PARITY:g}"
        )


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
