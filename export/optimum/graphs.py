"""A model's graphs through optimum, to which it is handed over as a plain Hugging Face folder."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from transformers import PreTrainedModel

from strop.errors import InputError, StropError
from strop.tasks import Task
from strop.train.encoder import first_position

from ..bundle import Layout, MaskedLayout
from ..packed import ALIGNMENT
from ..parity import require_parity
from ..precision import Precision
from ..precision.calibration import Calibration
from .environment import ENVIRONMENT

WORKER = Path(__file__).with_name("worker.py")


def masked_layout(model: PreTrainedModel) -> MaskedLayout:
    """The layout that a model's graph from optimum expects."""
    config = model.config
    return MaskedLayout(
        alignment=ALIGNMENT, first_position=first_position(config), pad_token_id=config.pad_token_id
    )


def export_through_optimum(
    model: PreTrainedModel,
    task: Task,
    layout: Layout,
    examples: Sequence[NDArray[np.int64]],
    path: Path,
) -> None:
    """Write ``model`` to ``path`` and compare its logits with the model's, as ``export_graph`` does.

    Raises ``InputError`` for a task that the worker doesn't know, ``StropError`` when optimum fails, or
    when they differ.
    """
    if task.name != "text-classification" or examples[0].ndim == 2:
        raise InputError(
            f"--exporter optimum is for text-classification of single texts, and this run's task is"
            f" {task.name}; leave it out"
        )
    with tempfile.TemporaryDirectory(prefix="strop-optimum-") as folder:
        model.save_pretrained(folder)
        _run("export", folder, str(path))
    require_parity(model, task, layout, examples, path)


def _quantise(kind: str, source: Path, target: Path, calibration: Calibration) -> None:
    """Write the int8 form of the graph ``source`` to ``target``; the feeds fix a static one's ranges."""
    rows = [
        dict(zip(feeds, row, strict=True))
        for feeds in calibration.feeds_of(onnx.load(source).graph)
        for row in zip(*(array.tolist() for array in feeds.values()), strict=True)
    ]
    with tempfile.TemporaryDirectory(prefix="strop-optimum-") as folder:
        texts = Path(folder) / "calibration.json"
        texts.write_text(json.dumps(rows), encoding="utf-8")
        _run("quantise", str(source), str(target), kind, str(texts))


OPTIMUM_PRECISIONS: Mapping[str, Precision] = {
    precision.name: precision
    for precision in (
        Precision("int8", "optimum's static int8", partial(_quantise, "static")),
        Precision(
            "int8-dynamic", "optimum's dynamic int8", partial(_quantise, "dynamic"), batch_invariant=False
        ),
    )
}


def _run(*arguments: str) -> None:
    """Let the worker do one job; ``StropError`` with its last words when it fails."""
    done = subprocess.run(
        [str(ENVIRONMENT.make()), "-I", str(WORKER), *arguments],
        env=os.environ | {"HF_HUB_OFFLINE": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise StropError(f"optimum could not {arguments[0]}: {done.stderr.strip().splitlines()[-1]}")
