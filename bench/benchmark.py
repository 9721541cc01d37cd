"""A whole benchmark: what it needs is read first, then the load runs, then comes the report."""

import os
from collections import Counter
from datetime import datetime

import uvloop
from rich.console import Console

from strop.host import read_host, read_versions

from .accuracy import measure_accuracy, read_promise
from .config import BenchConfig
from .cost.price_book import pick, read_price_book
from .meters import find_meters
from .page.page import to_html
from .protocols import Reply
from .report import Report
from .run import prepare, run
from .tables import show, to_markdown
from .written import check_folder, file_stem, to_json, write_files

PACKAGES = ("grpcio", "numpy", "protobuf", "uvloop")


def benchmark(config: BenchConfig) -> None:
    """Run it and show it.

    Raises ``InputError`` for options that don't fit, before any load; ``StropError`` when the
    server fails. Interrupted, it leaves no report.
    """
    machines = pick(read_price_book(config.prices).machines, config.machines)
    promise = read_promise(config.promise) if config.promise else None
    check_folder(config.out)
    served, texts = prepare(config)
    if promise:
        promise.require(served.task)

    def check(first: Reply) -> None:
        if promise:
            promise.of(first.variant)

    meters = find_meters(config.address, served.on_gpu, config.server_pid)
    console = Console()
    created, load = datetime.now().astimezone(), os.getloadavg()[0]
    with console.status("connecting") as status:
        measured = uvloop.run(run(config, served, texts, meters=meters, check=check, note=status.update))
    report = Report(
        created,
        read_host(),
        load,
        read_versions(PACKAGES),
        config,
        served.task,
        measured,
        measure_accuracy(served.task, texts.examples, measured.answers),
        promise.of(measured.first.variant) if promise else None,
        machines,
        Counter(sum(map(len, text)) for text in texts.texts),
        meters.missing,
    )
    pages = {"json": to_json(report.fields()), "md": to_markdown(report), "html": to_html(report)}
    path = write_files(config.out, file_stem(created, report.host), pages)
    show(report, console)
    console.print(f"report: {path}, .md and .json", markup=False, soft_wrap=True)
