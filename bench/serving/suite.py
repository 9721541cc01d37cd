"""The suite: part after part, the report saved after each."""

import os
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime

import uvloop
from rich.console import Console

from strop.errors import InputError, StropError
from strop.host import read_host, read_versions

from ..targets.report import TargetReport
from ..targets.rows import Row
from .config import PartName, ServingConfig
from .efficiency import efficiency
from .fairness import fairness
from .mixed import mixed
from .overload import overload
from .repository import repository
from .rivals import beside_mlserver, padding
from .setting import Setting
from .soak import soak

PARTS: dict[PartName, Callable[[Setting], Awaitable[Sequence[Row]]]] = {
    "efficiency": efficiency,
    "padding": padding,
    "mlserver": beside_mlserver,
    "overload": overload,
    "mixed": mixed,
    "fairness": fairness,
    "repository": repository,
    "soak": soak,
}
PACKAGES = ("grpcio", "numpy", "onnxruntime", "protobuf", "tokenizers", "uvloop")


def run_suite(config: ServingConfig) -> None:
    """Run the parts asked for, show the table and save it.

    A part that fails doesn't keep the others from running. Raises ``InputError`` for options that
    don't fit, before any load; ``StropError`` at the end when a target is missed or a part failed.
    """
    console = Console()
    with console.status("reading the bundle") as status:
        setting = Setting.read(config, status.update)
        report = _begun(setting)
        report.write()
        for part in config.parts:
            started = time.monotonic()
            try:
                report.parts[part] = uvloop.run(_measured(part, setting))
            except StropError as error:
                report.failures[part] = str(error)
            page = report.write()
            console.print(f"{part}: {(time.monotonic() - started) / 60:.1f} minutes", style="dim")
    report.show(console)
    console.print(f"report: {page} and .json", markup=False, soft_wrap=True)
    if report.missed or report.failures:
        raise StropError(report.verdict)


async def _measured(part: PartName, setting: Setting) -> Sequence[Row]:
    return await PARTS[part](setting)


def _begun(setting: Setting) -> TargetReport:
    manifest, config = setting.bundle.manifest, setting.config
    if config.out.exists() and not config.out.is_dir():
        raise InputError(f"--out {config.out} is a file; name a folder for the report")
    return TargetReport(
        schema="strop.bench-serve/1",
        title="Serving against its targets",
        created=datetime.now().astimezone(),
        host=read_host(),
        load=os.getloadavg()[0],
        versions=read_versions(PACKAGES),
        config=config,
        setting=f"{manifest.name} {manifest.version}, targets read on {setting.variant}"
        f" · {config.texts.name} · load generator on the same cores",
    )
