"""The options that a search found, as the file that ``strop train --config`` reads."""

import json
from dataclasses import fields
from pathlib import Path

from ..config import TrainConfig
from .options import SearchOptions

BEST_FILE = "best.toml"
ELSEWHERE = ("check", "resume", *(one.name for one in fields(SearchOptions)))
"""What belongs to a search or to one call of the command, not to the run."""


def to_toml(config: TrainConfig, comment: str) -> str:
    """A [train] table of everything that isn't as by default, below a comment.

    It names the run that it would make, so that it can be read as it is; ``--out`` names another.
    """
    values = {
        one.name.rstrip("_"): _plain(getattr(config, one.name))
        for one in fields(config)
        if one.name not in ELSEWHERE and getattr(config, one.name) != one.default
    }
    values |= {"data": str(config.data.resolve()), "out": f"{config.out.resolve()}-again"}
    lines = [f"{name} = {json.dumps(value, ensure_ascii=False)}" for name, value in values.items()]
    return "\n".join((f"# {comment}", "[train]", *lines)) + "\n"


def _plain(value: object) -> object:
    return str(value.resolve()) if isinstance(value, Path) else value
