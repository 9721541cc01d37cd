"""``strop train --check``: whether data, model, options and memory fit, before any time is spent."""

from statistics import median

from rich.console import Console

from strop.errors import StropError

from .batches import rows_of
from .config import TrainConfig
from .cost import count_parameters
from .data.shares import SPLITS
from .data.splits import Splits
from .fine_tune import prepare
from .memory import estimate_memory, free_memory
from .out_of_memory import named_remedies, remedies

MB = 1e6


def check(config: TrainConfig, splits: Splits, console: Console) -> None:
    """Show what would be trained on what, and the memory that it takes; nothing is written.

    Raises ``InputError`` as training would, and ``StropError`` where the memory doesn't suffice.
    """
    ready = prepare(config, splits)
    sizes = (f"{len(ready.encoded[name].examples):,} {name}" for name in SPLITS)
    console.print(f"data:   {', '.join(sizes)}; {splits.task.name}, {len(splits.labels)} outputs")
    lengths = [len(item["input_ids"]) for part in ready.encoded.values() for item in part.items]
    full = sum(length == config.max_tokens for length in lengths)
    cut = f"{full:,} texts fill --max-tokens {config.max_tokens} and may be cut" if full else "none is cut"
    console.print(f"tokens: {median(lengths):.0f} in the median text, {max(lengths)} in the longest; {cut}")
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
            ready.encoder.config.pad_token_id,
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
