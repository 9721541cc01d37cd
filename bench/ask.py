"""Asks a server text by text and shows the answers with the time of each stage."""

import time
from dataclasses import dataclass

import uvloop
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .client import Client
from .protocols import WIRES, Reply
from .query import QueryConfig


@dataclass(frozen=True)
class Answered:
    """One text and what came back."""

    text: str
    reply: Reply
    round_trip: float
    """Seconds that the client waited."""


def ask(address: str, texts: list[str], config: QueryConfig) -> None:
    """Ask through each API and print a table for it; raises as ``Client`` does."""
    protocols = list(WIRES) if config.protocol == "both" else [config.protocol]
    for protocol in protocols:
        answers = uvloop.run(_ask(address, texts, protocol, config))
        Console().print(table(answers, protocol))


async def _ask(address: str, texts: list[str], protocol: str, config: QueryConfig) -> list[Answered]:
    wire = WIRES[protocol]
    answers = []
    async with Client(address, deadline=config.timeout) as client:
        model = await client.served_model(wire, config.model)
        for text in texts:
            start = time.perf_counter()
            reply = await client.ask(wire, model, [text], config.top_k)
            answers.append(Answered(text, reply, time.perf_counter() - start))
    return answers


def table(answers: list[Answered], protocol: str) -> Table:
    """A row per answer; times in milliseconds, – where the server doesn't tell."""
    served = answers[0].reply
    names = " ".join(name for name in (served.model, served.version, served.variant) if name)
    shown = Table(
        title=f"{escape(names)}, {protocol} API",
        title_justify="left",
        caption="Times are milliseconds; the round trip is what the client waited.",
        caption_justify="left",
        box=SIMPLE_HEAD,
        pad_edge=False,
        collapse_padding=True,
    )
    shown.add_column("text", ratio=1, min_width=12)
    shown.add_column("label")
    for name in ("score", "tokenise", "queue", "compute", "round trip"):
        shown.add_column(name, justify="right")
    for answer in answers:
        stages = answer.reply.stages
        times = (stages.tokenise, stages.queue, stages.compute) if stages else (None, None, None)
        (result,) = answer.reply.results
        shown.add_row(
            escape(answer.text),
            escape("\n".join(label for label, _ in result)),
            "\n".join(f"{score:.4f}" for _, score in result),
            *("–" if value is None else f"{value * 1e3:.2f}" for value in times),
            f"{answer.round_trip * 1e3:.2f}",
        )
    return shown
