"""The file that tuning writes and ``strop serve --config`` reads."""

import json
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from strop.errors import InputError
from strop.host import Host
from strop.staging import replace_file

from ..texts import Texts
from .config import TuneConfig
from .search import Result
from .settings import DEFAULTS, QUEUE_MARGIN
from .table import headline


@dataclass(frozen=True)
class Tuned:
    """A finished search and what it was made with."""

    created: datetime
    host: Host
    config: TuneConfig
    texts: Texts
    sha256: str
    """Of the file of texts."""
    model: str
    """Name, version and variant of what was served."""
    result: Result

    def to_toml(self) -> str:
        """A [serve] table, empty where the defaults stay, below comments that say how it was found."""
        config, winner = self.config, self.result.winner
        load = "the gaps of its trace" if self.texts.arrived else "Poisson arrivals"
        comments = [
            f"strop tune, {self.created:%Y-%m-%d %H:%M}, on {self.host.name}: {self.host}",
            f"model: {self.model}",
            f"load: p99 <= {config.slo_ms:g} ms, {load}, one text a call",
            f"texts: {len(self.texts.texts)} of {config.texts.name}, sha256 {self.sha256}",
            headline(self.result),
        ]
        if winner and winner.setting.queue_texts:
            comments.append(
                f"queue_texts: {QUEUE_MARGIN:g} x {winner.closed:.1f} texts/s x {config.slo:g} s, over the"
                " workers. Who comes behind them would be late, so is refused at once; a call of more texts"
                " always is."
            )
        options: dict[str, str | int] = {"variant": config.variant} if config.variant else {}
        options |= (winner.setting if winner else DEFAULTS).options()
        lines = [f"# {' '.join(comment.split())}" for comment in comments]
        lines += ["[serve]", *(f"{name} = {json.dumps(value)}" for name, value in options.items())]
        return "\n".join(lines) + "\n"


def check_out(out: Path) -> None:
    """``InputError`` before any work if ``write`` could not write there."""
    if out.exists():
        raise InputError(f"--out {out} exists; name another file or remove it")
    if not out.parent.is_dir() or not os.access(out.parent, os.W_OK):
        raise InputError(f"--out {out} can't be written: {out.parent} is not a folder you may write in")


def write(tuned: Tuned, out: Path) -> None:
    """Write it whole or not at all; ``InputError`` if that is not possible."""
    check_out(out)
    try:
        replace_file(out, tuned.to_toml())
    except OSError as error:
        raise InputError(f"--out {out} can't be written: {error.strerror}") from error
