"""``strop train``: labelled data to a run."""

from rich.console import Console

from strop.host import share_cores

from .config import TrainConfig
from .data.splits import load_splits
from .draft import refuse_occupied


def train(config: TrainConfig) -> None:
    """Fine-tune an encoder on labelled text and write a run: weights, scores, report.

    Ctrl-C keeps the last checkpoint; the same command with --resume goes on from there.
    """
    refuse_occupied(config)
    splits = load_splits(config.data, config.columns)
    share_cores()
    from .fine_tune import fine_tune

    report = fine_tune(config, splits)
    console = Console(soft_wrap=True, highlight=False, markup=False, emoji=False)
    for table in report.tables():
        console.print(table)
    console.print(f"run:  {config.out}")
    console.print(f"next: strop export {config.out}")
