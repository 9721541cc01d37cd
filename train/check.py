"""``strop train --check``: whether data, model, options and memory fit, before any time is spent."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from rich.console import Console

from strop.errors import StropError
from strop.tasks import Task

from .batches import EncodedSplit, lengths_of, rows_of
from .config import TrainConfig
from .cost import count_parameters
from .data.shares import SPLITS
from .data.splits import Splits
from .memory import estimate_memory, free_memory
from .on_demand import Grouped
from .out_of_memory import named_remedies, remedies
from .prepare import prepare

MB = 1e6


def check(config: TrainConfig, splits: Splits, console: Console) -> None:
    """Show what would be trained on what, and the memory that it takes; nothing is written.

    Raises ``InputError`` as training would, and ``StropError`` where the memory doesn't suffice.
    """
    ready = prepare(config, splits)
    outputs = f"{len(ready.labels)} outputs" if ready.labels else "whose outputs are tokens"
    sizes = (f"{len(ready.encoded[name].examples):,} {name}" for name in SPLITS)
    console.print(f"data:   {', '.join(sizes)}; {splits.task.name}, {outputs}")
    for addition in ready.additions:
        console.print(f"        {addition}")
    for warning in ready.warnings:
        console.print(f"warning: {warning}")
    parts = ready.encoded.values()
    lengths = np.concatenate([lengths_of(Grouped(part.items, np.ones(len(part.items)))) for part in parts])
    console.print(
        f"tokens: {np.median(lengths):.0f} in the median text, {lengths.max()} in the longest;"
        f" {_cut(config, splits.task, parts, lengths)}"
    )
    trained, total = count_parameters(ready.model)
    console.print(
        f"model:  {ready.encoder.config.model_type}, {total:,} parameters, of which {config.method} trains"
        f" {trained:,} ({trained / total:.2%})"
    )
    console.print(f"steps:  {ready.steps:,} in at most {config.epochs} epochs")
    with named_remedies(config):
        train = ready.encoded["train"]
        need = estimate_memory(
            ready.model,
            rows_of(train.items, train.counts, splits.task),
            ready.encoder.pad_token_id,
            ready.objective,
            config,
        )
    free = free_memory() + need.weights  # those are in memory already
    console.print(
        f"memory: about {need.total / MB:,.0f} of {free / MB:,.0f} MB free:"
        f" weights {need.weights / MB:,.0f}, gradients {need.gradients / MB:,.0f},"
        f" optimiser {need.optimiser / MB:,.0f}, activations {need.activations / MB:,.0f}"
    )
    if need.total > free:
        raise StropError(f"that doesn't fit into memory; {remedies(config)}")


def _cut(config: TrainConfig, task: Task, parts: Iterable[EncodedSplit], lengths: NDArray[np.int64]) -> str:
    """What becomes of inputs that are too long."""
    if task.windowed:
        long = sum(count > 1 for part in parts for count in part.counts)
        how = f"are longer than --max-tokens {config.max_tokens} and read window by window"
        return f"{long:,} texts {how}" if long else "none needs windows"
    full = int((lengths == config.max_tokens).sum())
    return f"{full:,} texts fill --max-tokens {config.max_tokens} and may be cut" if full else "none is cut"
