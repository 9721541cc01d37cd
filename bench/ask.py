"""Asks a server text by text and shows the answers with the time of each stage."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import uvloop
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table
from rich.text import Text as Shown

from strop.errors import InputError

from .client import Client
from .columns import Text
from .discovery import discover
from .protocols import WIRES, Reply
from .served import Served

if TYPE_CHECKING:
    from .query import QueryConfig

SHOWN_STAGES = ("tokenise", "queue", "compute")
TAB = "\t"
SHOWN_CHARACTERS = 120
"""Of a text: as much as tells which one it is."""
TIMES = "Times are milliseconds; the round trip is what the client waited."


@dataclass(frozen=True)
class Answered:
    """One text and what came back."""

    text: Text
    reply: Reply
    round_trip: float
    """Seconds that the client waited."""


def ask(address: str, words: Sequence[str], lines: Sequence[str], config: "QueryConfig") -> None:
    """Ask through each API about the texts in words and in lines, and print a table for it.

    Raises ``InputError`` for words that are no pairs or options that don't fit, else as ``Client``.
    """
    for table in uvloop.run(_ask(address, words, lines, config)):
        Console().print(table)


async def _ask(
    address: str, words: Sequence[str], lines: Sequence[str], config: "QueryConfig"
) -> list[Table]:
    protocols = list(WIRES) if config.protocol == "both" else [config.protocol]
    tables = []
    async with Client(address, deadline=config.timeout, access=config.access) as client:
        served = await discover(client, config.model, config.task)
        if config.top_k is not None and not served.call.ranked:
            raise InputError(
                f"--top-k is {config.top_k}: {served.call.name} has no list to choose from; leave it out"
            )
        texts = texts_of(words, lines, len(served.inputs))
        for protocol in protocols:
            wire, answers = WIRES[protocol](served), []
            for text in texts:
                start = time.perf_counter()
                reply = await client.ask(wire, [text], config.top_k)
                answers.append(Answered(text, reply, time.perf_counter() - start))
            tables.append(_table(answers, served, protocol, config.top_k))
    return tables


def texts_of(words: Sequence[str], lines: Sequence[str], together: int) -> list[Text]:
    """What to ask a model that takes so many texts together: words in their order, then lines at tabs.

    ``InputError`` where some are missing.
    """
    if len(words) % together:
        raise InputError(
            f"the model judges {together} texts together, and there are {len(words)}; pair them"
        )
    texts = [tuple(words[start : start + together]) for start in range(0, len(words), together)]
    for number, line in enumerate(lines, 1):
        # A text that is judged alone may have tabs of its own.
        text = tuple(line.split(TAB)) if together > 1 else (line,)
        if len(text) != together:
            raise InputError(
                f"standard input, line {number} has {len(text)} texts, and the model judges {together}"
                " together; put one tab between them"
            )
        texts.append(text)
    return texts


def _table(answers: list[Answered], served: Served, protocol: str, top_k: int | None) -> Table:
    """A row per answer; times in milliseconds, – where the server doesn't tell."""
    reply, call = answers[0].reply, served.call
    names = " ".join(name for name in (reply.model, reply.version, reply.variant) if name)
    short = sum(answer.reply.truncated for answer in answers)
    shown = Table(
        title=Shown(f"{names}, {protocol} API"),
        title_justify="left",
        caption=f"{TIMES} Too long for the model, which read the beginning: {short} of the texts."
        if short
        else TIMES,
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    shown.add_column("text", ratio=1, min_width=8)
    for name in call.columns:
        shown.add_column(name, justify="right" if name == "score" else "left")
    for name in (*SHOWN_STAGES, "round trip"):
        shown.add_column(name, justify="right", no_wrap=True, min_width=len(name))
    for answer in answers:
        (result,) = answer.reply.results
        stages = answer.reply.stages
        times = [getattr(stages, stage) if stages else None for stage in SHOWN_STAGES]
        shown.add_row(
            _cell(map(_elided, answer.text)),
            *map(_cell, zip(*call.rows(answer.text, result, top_k), strict=True)),
            *("–" if value is None else f"{value * 1e3:.2f}" for value in times),
            f"{answer.round_trip * 1e3:.2f}",
        )
    return shown


def _cell(lines: Iterable[str]) -> Shown:
    """Lines as they are: markup in them, or a name of an emoji, is what somebody wrote."""
    return Shown("\n".join(lines))


def _elided(text: str) -> str:
    return text if len(text) <= SHOWN_CHARACTERS else f"{text[:SHOWN_CHARACTERS]}…"
