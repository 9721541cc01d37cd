"""A whole benchmark: what it needs is read first, then the load runs, then comes the report."""

import os
from datetime import datetime

import uvloop
from rich.console import Console

from strop.errors import InputError
from strop.host import read_host, read_versions

from .accuracy import measure_accuracy, read_promise
from .config import BenchConfig
from .price_book import pick, read_price_book
from .protocols import Reply
from .report import Report, check_folder, write
from .run import run
from .tables import show, to_markdown
from .texts import read_texts

PACKAGES = ("grpcio", "numpy", "protobuf", "uvloop")


def benchmark(config: BenchConfig) -> None:
    """Run it and show it.

    Raises ``InputError`` for options that don't fit, before any load; ``StropError`` when the
    server fails. Interrupted, it leaves no report.
    """
    texts = read_texts(config.texts)
    if config.arrivals == "trace" and not texts.arrived:
        raise InputError(f'--arrivals trace: --texts {config.texts} has no "arrived"; give each line one')
    machines = pick(read_price_book(config.prices), config.machines)
    promise = read_promise(config.promise) if config.promise else None
    check_folder(config.out)

    def check(served: Reply) -> None:
        if promise:
            promise.of(served.variant)

    console = Console()
    created, load = datetime.now().astimezone(), os.getloadavg()[0]
    with console.status("connecting") as status:
        measured = uvloop.run(run(config, texts, check=check, note=status.update))
    report = Report(
        created,
        read_host(),
        load,
        read_versions(PACKAGES),
        config,
        measured,
        measure_accuracy(texts.labels, measured.answers),
        promise.of(measured.served.variant) if promise else None,
        machines,
    )
    path = write(report, to_markdown(report), config.out)
    show(report, console)
    console.print(f"report: {path} and .json", markup=False, soft_wrap=True)
