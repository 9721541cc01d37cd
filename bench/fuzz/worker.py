"""One fuzzed target in a process of its own, which libFuzzer ends; only ``command`` starts it."""

import asyncio
import logging
import sys
import tempfile
from pathlib import Path

import atheris

from .tally import CORPUS_FOLDER, Tally
from .verdict import Target

# What guides is instrumented as it is imported, so nothing of it may be imported before.
OURS = [f"strop.bench.fuzz.{name}" for name in ("requests", "files", "context", "messages", "values")]
"""Modules whose own branches are of no interest."""


def work(name: str, bundle: Path, folder: Path, options: list[str]) -> None:
    """Fuzz the named target into ``folder``; ``options`` are libFuzzer's, ``-runs=`` among them."""
    # What is logged about a refused input is no news.
    logging.getLogger("strop").propagate = False
    with atheris.instrument_imports(include=["strop"], exclude=OURS):
        target = _target(name, bundle)
    corpus = folder / CORPUS_FOLDER
    corpus.mkdir(exist_ok=True)
    for number, seed in enumerate(target.seeds()):
        (corpus / f"seed-{number:03}").write_bytes(seed)
    runs = next(int(option.partition("=")[2]) for option in options if option.startswith("-runs="))
    tally = Tally(target, folder, runs)
    atheris.Setup([name, *options, str(corpus)], tally.try_one, custom_mutator=target.mutate)
    atheris.Fuzz()


def _target(name: str, bundle: Path) -> Target:
    if name == "requests":
        from .requests import Requests

        return Requests(bundle, asyncio.new_event_loop())
    from .files import Files

    return Files(bundle, Path(tempfile.mkdtemp(prefix="strop-fuzz-")))


if __name__ == "__main__":
    work(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4:])
