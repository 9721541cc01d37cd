"""A whole tuning: what it needs is read first, then the search runs, then come table and file."""

import hashlib
from datetime import datetime

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from strop.export.bundle.directory import read_manifest
from strop.host import read_host
from strop.tasks import TASKS

from ..columns import Columns
from ..grid import show_grid
from ..served import Served
from ..texts import read_texts
from .config import TuneConfig
from .search import search, trial_count
from .settings import grid
from .table import headline, table
from .trial import ServerTrials
from .tuned import Tuned, check_out, write


def tuning(config: TuneConfig) -> None:
    """Run it, show it, write it.

    Raises ``InputError`` for options that don't fit, before any load, and ``StropError`` when no
    setting can be measured. Interrupted, it leaves neither a server nor a file.
    """
    check_out(config.out)
    manifest = read_manifest(config.bundle)
    served = Served.of(manifest.name, TASKS[manifest.task], pairs=manifest.pairs)
    columns = Columns.of(served.task, len(served.inputs), text=config.text_column, pair=config.pair_column)
    texts = read_texts(config.texts, columns)
    digest = hashlib.sha256(config.texts.read_bytes()).hexdigest()
    host = read_host()
    settings = grid(host.cores, config.batch_tokens)
    console = Console()
    created = datetime.now().astimezone()
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
    ) as bars:
        task = bars.add_task("starting", total=trial_count(len(settings)), completed=-1)
        trials = ServerTrials(
            config, served, texts, lambda name: bars.update(task, description=name, advance=1)
        )
        result = search(trials, settings, cores=host.cores, slo=config.slo, seconds=60 * config.minutes)
        bars.update(task, description="done", completed=trial_count(len(settings)))
    show_grid(table(result), console)
    if limits := trials.limits:
        console.print(
            f"warning: in {len(limits)} of {trials.phases} loops the client was the limit, not the server;"
            f" in the last of them {limits[-1]}",
            style="yellow",
        )
    write(Tuned(created, host, config, texts, digest, trials.model, result), config.out)
    console.print(headline(result), style="bold", markup=False)
    console.print(f"next: strop serve {config.bundle} --config {config.out}", markup=False, soft_wrap=True)
