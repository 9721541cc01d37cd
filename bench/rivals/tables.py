"""A comparison as tables and words: in the terminal, in Markdown and on the page."""

from collections.abc import Iterable, Sequence
from statistics import median

from rich.console import Console

from ..grid import Grid, digits, dollars, grid_markdown, ms, show_grid
from .contenders import Contender
from .report import Ratio, RivalsReport

HOW = (
    "Every contender answers the same texts, one a call, on the same cores as the load generator. In a"
    " turn it is started anew, warmed, loaded in a closed loop of 64 calls and then in open loops with"
    " Poisson arrivals, whose latency counts from the intended send; the rate is the highest one tried"
    " whose p99 met the SLO without an error, 0 where none did. Then comes the rate that is offered to"
    " all: half of what the slowest answered within the SLO when it was tried. The contenders take"
    " turns, every other round backwards. Ratios: geometric means of the rounds' ratios, with the 95 %"
    " bootstrap interval over the rounds.",
    "Before that each setting of a rival was tried in a closed loop of as many calls as can be answered"
    " within the SLO by Little's law, and the one that answered most texts within it was taken. Strop"
    " runs on its defaults. All rivals compute the fp32 weights of the same model with its tokenizer, on"
    " as many threads in all as there are cores: the bundle's graph, or the run's model where PyTorch"
    " computes. Labels were compared with Strop's in fp32.",
)


def grids(report: RivalsReport) -> list[Grid]:
    """Every table of the comparison."""
    return [grid for grid in (_rates(report), _answers(report)) if grid.rows]


def headline(report: RivalsReport) -> str:
    """The outcome in a line."""
    mine = report.own[0].name
    found = []
    for rival in report.measured[len(report.own) :]:
        ratio = report.ratio(mine, rival.name)
        found.append(f"{digits(ratio[0])} × {rival.name}" if ratio else f"{rival.name} too slow to tell")
    failed = f"; not measured: {', '.join(report.failures)}" if report.failures else ""
    slo = f"p99 ≤ {report.setting.config.slo_ms:g} ms"
    return f"{mine} sustains at {slo}: {', '.join(found) or 'compared with nobody'}{failed}"


def setting(report: RivalsReport) -> list[str]:
    """What was measured, on what, in a line each."""
    given, host = report.setting, report.host
    manifest = given.bundle.manifest
    return [
        f"{report.created:%Y-%m-%d %H:%M} · {manifest.name} {manifest.version} · {given.config.texts.name}"
        f" · {host} · {host.memory_bytes / 2**30:.1f} GiB · {host.kernel} · load before {report.load:.1f}",
        ", ".join(f"{name} {version}" for name, version in report.versions.items()),
    ]


def who(one: Contender) -> str:
    """What it is, how it is set up, in which versions, and what else was tried."""
    words = [one.title, one.settings]
    if one.requires:
        words.append(f"in its environment {', '.join(one.requires)}")
    if one.tried:
        tried = ", ".join(f"{name}: {digits(rate)}" for name, rate in one.tried)
        words.append(f"tried, texts/s in SLO: {tried}")
    return "; ".join(words)


def to_markdown(report: RivalsReport) -> str:
    """The comparison as a page."""
    parts = [f"# {headline(report)}", *setting(report), *map(grid_markdown, grids(report))]
    if report.failures:
        parts += ["## Not measured here", _points(f"{one}: {why}" for one, why in report.failures.items())]
    if warnings := report.warnings():
        parts += ["## Warnings", _points(warnings)]
    parts += ["## How", *HOW, "## Who", _points(f"{one.name}: {who(one)}" for one in report.contenders)]
    return "\n\n".join(parts) + "\n"


def show(report: RivalsReport, console: Console) -> None:
    """Print the comparison for a person."""
    for grid in grids(report):
        show_grid(grid, console)
    for name, why in report.failures.items():
        console.print(f"{name} could not be measured: {why}", style="yellow", markup=False)
    for warning in report.warnings():
        console.print(f"warning: {warning}", style="yellow", markup=False)
    console.print(headline(report), style="bold", markup=False)


def _rates(report: RivalsReport) -> Grid:
    given = report.setting
    rows = [
        (
            one.name,
            _spread(report.rates(one.name)),
            *(_interval(report.ratio(mine.name, one.name)) for mine in report.own),
            dollars(report.cost(one.name)),
        )
        for one in report.measured
    ]
    return Grid(
        "Rivals, side by side on this machine",
        (
            "server",
            f"texts/s at p99 ≤ {given.config.slo_ms:g} ms",
            *(f"{mine.name} ÷ it" for mine in report.own),
            "$/million",
        ),
        rows,
        f"Median of {given.config.rounds} rounds (lowest – highest); ratio (95 % interval), n/a where one"
        " of the two missed the SLO at every rate of a round. $/million: at"
        f" ${given.machine.hourly():.4f} an hour ({given.machine.title}), an assumption: that it is as fast"
        " as the machine measured, all of it in use.",
        narrow=False,
    )


def _answers(report: RivalsReport) -> Grid:
    """How soon and how right."""
    measure = report.setting.served.task.metrics[0]
    rows = []
    for one in report.measured:
        accuracy = report.accuracy(one.name)
        failed = sum(sum(phase.summary.errors.values()) for phase in report.offered_all(one.name))
        rows.append(
            (
                one.name,
                ms(report.percentile(one.name, 50.0)),
                ms(report.percentile(one.name, 99.0)),
                str(failed) if report.common else "n/a",
                f"{accuracy.metrics[measure]:.4f} of {accuracy.texts}" if accuracy else "n/a",
                f"{one.alike:.1%}" if one in report.rivals else "–",
            )
        )
    offered = f"At {digits(report.common)} texts/s" if report.common else "At a rate that all can answer"
    return Grid(
        f"{offered}, latency in milliseconds; and how right",
        ("server", "p50", "p99", "errors", f"{measure}, over the wire", "labels as Strop's in fp32"),
        rows,
        "Latency: over the calls of all rounds.",
        narrow=False,
    )


def _points(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _spread(values: Sequence[float]) -> str:
    """The median, with the lowest and the highest where there are several."""
    if len(values) < 2:
        return digits(median(values))
    return f"{digits(median(values))} ({digits(min(values))} – {digits(max(values))})"


def _interval(ratio: Ratio | None) -> str:
    if ratio is None:
        return "n/a"
    mean, (low, high) = ratio
    return f"{digits(mean)} ({digits(low)} – {digits(high)})"
