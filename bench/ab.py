"""Two servers against each other: measured in turns, compared by ratios with their intervals."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime

import uvloop
from rich.console import Console

from strop.errors import InputError
from strop.host import Host, read_host

from .accuracy import Accuracy, measure_accuracy
from .confidence import CONFIDENCE, mean_ratio
from .config import BenchConfig
from .grid import Grid, digits, grid_markdown, ms, show_grid
from .histogram import merge
from .loops import Load, connected
from .protocols import Reply
from .report import spread
from .run import prepare
from .search import FIRST_SHARE, Phase
from .served import Served
from .targets.turns import turns
from .texts import Texts
from .written import check_folder, file_stem, to_json, write_files

SCHEMA = "strop.bench-ab/1"
CLOSED_SHARE = 1 / 3
"""Of a turn's time; the rest is the open loop."""
WARMUP_SHARE = 0.2
"""At most so much of a turn's time is added to warm up: the server has been measured before."""
FIGURES = ("rate", "p50", "p99")


@dataclass(frozen=True)
class Side:
    """One of the two, and a phase of each kind for each round."""

    address: str
    first: Reply
    closed: Sequence[Phase]
    opened: Sequence[Phase]
    accuracy: Accuracy | None

    @property
    def figures(self) -> Mapping[str, Sequence[float]]:
        """The closed loop's rate and the open loop's percentiles, round by round."""
        return spread(self.opened) | {"rate": spread(self.closed)["rate"]}

    def fields(self) -> dict[str, object]:
        """For the report."""
        return {
            "address": self.address,
            "model": self.first.model,
            "version": self.first.version,
            "variant": self.first.variant,
            "figures": self.figures,
            "errors": [dict(phase.summary.errors) for phase in (*self.closed, *self.opened)],
            "hdr": merge(phase.summary.hdr for phase in self.opened),
            "accuracy": asdict(self.accuracy) if self.accuracy else None,
        }


@dataclass(frozen=True)
class Duel:
    """What came of it."""

    offered: float
    """Texts per second of the open loops, the same for both."""
    sides: tuple[Side, Side]

    @property
    def ratios(self) -> dict[str, tuple[float, tuple[float, float]]]:
        """The first side's figure over the second's and its interval; left out where a round has none."""
        ours, theirs = (side.figures for side in self.sides)
        return {
            name: mean_ratio(ours[name], theirs[name])
            for name in FIGURES
            if len(ours[name]) == len(theirs[name]) == len(self.sides[0].opened)
        }

    @property
    def verdict(self) -> str:
        """The outcome in a line."""
        ratio, (low, high) = self.ratios["rate"]
        said = (
            f"A answers {digits(ratio)} times as many texts as B ({CONFIDENCE:.0%}: {_between(low, high)})"
        )
        return said if low > 1 or high < 1 else f"{said}: no difference to tell"

    def warnings(self) -> list[str]:
        """What a reader must know before trusting a ratio."""
        found = []
        for name, side in zip("AB", self.sides, strict=True):
            phases = (*side.closed, *side.opened)
            if failed := sum(sum(phase.summary.errors.values()) for phase in phases):
                found.append(f"{name}: failed calls: {failed}")
            if limit := next(filter(None, (phase.summary.client_limited for phase in phases)), None):
                found.append(f"{name}: the client was the limit, not the server: {limit}; see --clients")
        return found


def ab(config: BenchConfig) -> None:
    """Measure the servers at ``config.address`` and ``config.against``, show and save what came of it.

    Raises ``InputError`` for options that don't fit or models for different tasks, before any load.
    """
    check_folder(config.out)
    configs = [config, replace(config, address=str(config.against))]
    prepared = [prepare(one) for one in configs]
    (ours, texts), (theirs, _) = prepared
    if ours.task.name != theirs.task.name:
        raise InputError(
            f"A is for {ours.task.name}, B for {theirs.task.name}; compare servers of one task"
        )
    console, host, created, load = Console(), read_host(), datetime.now().astimezone(), os.getloadavg()[0]
    with console.status("connecting") as status:
        duel = uvloop.run(run(config, (ours, theirs), texts, status.update))
    grid = table(duel)
    for warning in duel.warnings():
        console.print(f"warning: {warning}", style="yellow", markup=False)
    show_grid(grid, console)
    console.print(duel.verdict, style="bold", markup=False)
    page = [
        f"# {duel.verdict}",
        f"{created:%Y-%m-%d %H:%M} · {host}",
        grid_markdown(grid),
        *duel.warnings(),
    ]
    stem = file_stem(created, host, "ab")
    record = _record(created, host, load, config, duel)
    path = write_files(config.out, stem, {"json": record, "md": "\n\n".join(page) + "\n"})
    console.print(f"report: {path} and .json", markup=False, soft_wrap=True)


async def run(
    config: BenchConfig, served: tuple[Served, Served], texts: Texts, note: Callable[[str], object]
) -> Duel:
    """Both in turns, ``config.rounds`` times, ``config.seconds`` of measuring for each in all."""
    seconds = config.seconds / config.rounds
    addresses = (config.address, str(config.against))
    ours, theirs = (
        replace(config, address=address, warmup_seconds=min(config.warmup_seconds, WARMUP_SHARE * seconds))
        for address in addresses
    )
    async with connected(ours, served[0], texts) as first, connected(theirs, served[1], texts) as second:
        loads = {"A": first, "B": second}
        note("warm-up")
        warm = [(await load.closed(max(config.warmup_seconds, seconds))) for load in loads.values()]
        rate = config.rate or FIRST_SHARE * min(phase.summary.rate for phase in warm)
        closed: dict[str, list[Phase]] = {"A": [], "B": []}
        opened: dict[str, list[Phase]] = {"A": [], "B": []}
        for name, phrase in turns(config.rounds, loads):
            note(phrase)
            closed[name].append(await loads[name].closed(CLOSED_SHARE * seconds))
            opened[name].append(await loads[name].open(rate, (1 - CLOSED_SHARE) * seconds))

    def side(name: str, address: str, load: Load) -> Side:
        accuracy = measure_accuracy(served[0].task, texts.examples, load.answers)
        return Side(address, load.first, closed[name], opened[name], accuracy)

    return Duel(rate, (side("A", addresses[0], first), side("B", addresses[1], second)))


def table(duel: Duel) -> Grid:
    """Both sides' figures and their ratios."""
    ours, theirs = (side.figures for side in duel.sides)
    rows = []
    for name, (ratio, (low, high)) in duel.ratios.items():
        show = digits if name == "rate" else ms
        title = "closed loop, texts/s" if name == "rate" else f"{name} at {duel.offered:.0f}/s, ms"
        means = [show(sum(figures[name]) / len(figures[name])) for figures in (ours, theirs)]
        rows.append((title, *means, digits(ratio), _between(low, high)))
    scores = [side.accuracy.metrics if side.accuracy else {} for side in duel.sides]
    rows += [
        (name.replace("_", "-"), f"{value:.4f}", f"{scores[1][name]:.4f}", "–", "–")
        for name, value in scores[0].items()
        if name in scores[1]
    ]
    note = (
        f"A is {duel.sides[0].address}, B is {duel.sides[1].address}; {len(duel.sides[0].opened)} rounds in"
        " turns. Ratio: geometric mean of the rounds' ratios; interval: bootstrap over the rounds."
    )
    return Grid("A against B", ("figure", "A", "B", "A / B", f"{CONFIDENCE:.0%} interval"), rows, note)


def _between(low: float, high: float) -> str:
    return f"{digits(low)} – {digits(high)}"


def _record(created: datetime, host: Host, load: float, config: BenchConfig, duel: Duel) -> str:
    fields = {
        "schema": SCHEMA,
        "created": created.isoformat(),
        "host": asdict(host) | {"load_before": load},
        "config": asdict(config),
        "offered": duel.offered,
        "contenders": {name: side.fields() for name, side in zip("AB", duel.sides, strict=True)},
        "ratios": {
            name: {"ratio": ratio, "interval": bounds} for name, (ratio, bounds) in duel.ratios.items()
        },
        "warnings": duel.warnings(),
    }
    return to_json(fields)
