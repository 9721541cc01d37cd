"""The comparison: every rival tuned, then all contenders in turns, the report saved after each one."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from datetime import datetime
from functools import cache
from pathlib import Path

import uvloop
from rich.console import Console

from strop.errors import StropError
from strop.host import read_host, read_versions

from ..targets.turns import turns
from ..written import file_stem, to_json, write_files
from .catalogue import RIVALS
from .config import RivalsConfig
from .contenders import common_rate, ours
from .folder import save_folder
from .page import to_html
from .report import RivalsReport
from .setting import Setting
from .tables import show, to_markdown
from .tuning import our_labels, tuned

PACKAGES = ("aiohttp", "grpcio", "numpy", "onnxruntime", "protobuf", "tokenizers", "torch", "transformers")


def run_suite(config: RivalsConfig) -> None:
    """Compare, show the table and save it.

    A rival that can't be installed or run is listed with the reason and keeps no other from running.
    Raises ``InputError`` for options that don't fit, before any load; ``StropError`` when no rival could
    be measured.
    """
    console = Console()
    # Its folder is there until the last turn: PyTorch's rivals load it whenever they are started.
    model = tempfile.TemporaryDirectory(prefix="strop-model-")
    with model as folder, console.status("reading the bundle") as status:
        setting = Setting.read(config, status.update)
        report = _begun(setting)
        _tune(report, Path(folder))
        _take_turns(report)
    page = _write(report)
    show(report, console)
    console.print(f"report: {page}, .md and .json", markup=False, soft_wrap=True)
    if len(report.failures) == len(config.rivals):
        raise StropError("no rival could be measured; the reasons are above")


def _begun(setting: Setting) -> RivalsReport:
    variants = (setting.bundle.reference.name, setting.bundle.manifest.default_variant)
    return RivalsReport(
        created=datetime.now().astimezone(),
        host=read_host(),
        load=os.getloadavg()[0],
        versions=read_versions(PACKAGES),
        setting=setting,
        own=[ours(setting, variant) for variant in dict.fromkeys(variants)],
    )


def _tune(report: RivalsReport, model: Path) -> None:
    """Add every rival that can be had, at its best setting; ``model`` is an empty folder for those that
    want the model in one.
    """
    setting = report.setting
    folder = cache(lambda: save_folder(setting.config.run, model))
    labels = uvloop.run(our_labels(setting))
    for rival in setting.config.rivals:
        with _noting_failure(report, rival):
            report.rivals.append(uvloop.run(tuned(setting, RIVALS[rival], labels, folder)))


def _take_turns(report: RivalsReport) -> None:
    """Measure every contender once a round, but none that failed."""
    setting = report.setting
    report.common = common_rate(report.rivals)
    contenders = {one.name: one for one in report.contenders}
    rivals = {rival.name for rival in report.rivals}
    for name, phrase in turns(setting.config.rounds, contenders):
        if name in report.failures:
            continue
        setting.say(phrase)
        # Without Strop's own figures there is nothing to compare: its failure ends the run.
        noting = _noting_failure(report, name) if name in rivals else contextlib.nullcontext()
        with noting:
            turn = uvloop.run(contenders[name].turn(setting, report.common))
            report.turns.setdefault(name, []).append(turn)
        _write(report)


def _write(report: RivalsReport) -> Path:
    """Write ``<date>T<time>-<host>-rivals`` as JSON, Markdown and HTML; returns the last."""
    stem = file_stem(report.created, report.host, "rivals")
    texts = {"json": to_json(report.fields()), "md": to_markdown(report), "html": to_html(report)}
    return write_files(report.setting.config.out, stem, texts)


@contextlib.contextmanager
def _noting_failure(report: RivalsReport, name: str) -> Iterator[None]:
    try:
        yield
    except StropError as error:
        report.failures[name] = str(error)
