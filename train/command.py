"""``strop train``: labelled data to a run."""

from dataclasses import replace
from typing import TYPE_CHECKING

from strop.host import share_cores

from .beginnings import require_beginnings
from .config import TrainConfig
from .console import console
from .data.splits import load_splits
from .draft import is_begun, refuse_occupied
from .processes import is_main

if TYPE_CHECKING:
    from .report import Report


def train(config: TrainConfig) -> None:
    """Fine-tune an encoder on labelled text and write a run: weights, scores, report.

    Ctrl-C keeps the last checkpoint; the same command with --resume goes on from there. --check looks
    whether everything fits, in seconds. Several GPUs: torchrun --nproc-per-node 2 -m strop train …
    """
    if config.search:
        config = replace(config, resume=config.resume or is_begun(config.out))
    if is_main():
        refuse_occupied(config)
    share_cores()
    if config.pooling == "auto" and config.columns.task.pooling:
        from .pooling import pooling_of

        config = replace(config, pooling=pooling_of(config))
    require_beginnings(config)
    splits = load_splits(config.data, config.columns)
    out = console(quiet=not is_main())
    if config.check:
        # Not at the top: the options' help must not wait for torch.
        from .check import check

        check(config, splits, out)
        return
    if config.search:
        from .search.search import search

        report: Report | None = search(config, splits, out)
    else:
        from .fine_tune import fine_tune

        report = fine_tune(config, splits)
    if report is None:
        return
    for table in report.tables():
        out.print(table)
    for warning in report.warnings:
        out.print(f"warning: {warning}")
    if report.behind:
        out.print(
            f"warning: not ahead of {' and '.join(report.behind)}; before it is used, give it more"
            " --epochs, another --learning-rate or more texts"
        )
    out.print(str(report.cost))
    out.print(f"run:  {config.out}")
    last = "export {}" if splits.task.served else "merge {} --out FOLDER"
    out.print(f"next: strop {last.format(config.out)}")
