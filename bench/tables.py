"""The report's tables, composed once and shown twice: in the terminal and in Markdown."""

from statistics import mean

from rich.console import Console

from .confidence import variation
from .grid import Grid, between, digits, dollars, grid_markdown, joules, ms, show_grid
from .report import Report, spread
from .search import Phase, sustained_interval
from .steadiness import Drift

SURE = ("p50", "p90", "p99", "p99.9")
"""The percentiles whose intervals are shown."""


def show(report: Report, console: Console) -> None:
    """Print the report for a person."""
    for grid in grids(report):
        show_grid(grid, console)
    for warning in report.warnings():
        console.print(f"warning: {warning}", style="yellow", markup=False)
    console.print(headline(report), style="bold", markup=False)


def to_markdown(report: Report) -> str:
    """The report as a page: the one number first."""
    parts = [f"# {headline(report)}", *setting(report)]
    parts += [grid_markdown(grid) for grid in grids(report)]
    if warnings := report.warnings():
        parts += ["## Warnings", "\n".join(f"- {warning}" for warning in warnings)]
    return "\n\n".join(parts) + "\n"


def setting(report: Report) -> list[str]:
    """What was measured, by which load, on what, in a line each."""
    first, config, host = report.measured.first, report.config, report.host
    return [
        f"{report.created:%Y-%m-%d %H:%M} · {config.address} · {config.api} API · model"
        f" {first.model} {first.version} {first.variant} for {report.task.name} · {config.texts_per_call}"
        f" texts a call, from {config.source}",
        f"{host} · {host.memory_bytes / 2**30:.1f} GiB · {host.kernel} · "
        + ", ".join(f"{name} {version}" for name, version in report.versions.items()),
    ]


def headline(report: Report) -> str:
    """The one number first."""
    slo = f"p99 ≤ {report.config.slo_ms:g} ms"
    if report.rate is None:
        first = report.measured.opened[0]
        return f"No rate tried met {slo}, so there is no cost: at {first.offered:.0f}/s {first.failure}"
    machine = report.machines[0]
    return (
        f"{dollars(report.cost(machine))} per million queries at {slo}, sustaining"
        f" {report.rate:.1f} queries/s, on {machine.title} if it is as fast as the machine measured"
    )


def grids(report: Report) -> list[Grid]:
    """Every table of the report."""
    found = [_latency(report), _intervals(report), _repeats(report), _soak(report)]
    found += [_stages(report), _accuracy(report), _cost(report), _energy(report)]
    return [grid for grid in found if grid.rows]


def _latency(report: Report) -> Grid:
    rows = []
    for phase in report.measured.phases:
        summary = phase.summary
        rows.append(
            (
                phase_name(phase),
                str(summary.calls),
                digits(summary.rate),
                digits(summary.goodput),
                *(ms(value) for value in summary.percentiles.values()),
                str(sum(summary.errors.values())),
                _verdict(phase),
            )
        )
    return Grid(
        "Load, latency in milliseconds",
        ("loop", "calls", "texts/s", "in SLO", "p50", "p90", "p99", "p99.9", "errors", "SLO"),
        rows,
        "closed: calls in flight; open: texts offered a second, latency from the intended send; in SLO:"
        " texts a second answered in time; SLO: undecided where the p99's interval straddles it."
        f" n/a: too few calls; p99 needs 100, p99.9 1000.{_bounds(report)}",
    )


def _bounds(report: Report) -> str:
    """Between which rates the SLO's lies, as far as that is certain."""
    low, high = sustained_interval(report.measured.opened)
    words = [f"{low:.1f} texts/s surely met it"] if low else []
    words += [f"{high:.1f} surely missed it"] if high else []
    return f" With 95 % confidence {', '.join(words)}." if words else ""


def _intervals(report: Report) -> Grid:
    rows = [
        (phase_name(phase), *(between(phase.summary.intervals[name]) for name in SURE))
        for phase in report.measured.phases
    ]
    return Grid(
        "95 % intervals of the latency, milliseconds",
        ("loop", *SURE),
        rows,
        "Of independent calls (order statistics). n/a: too few calls; p99 needs 368, p99.9 3688.",
    )


def _repeats(report: Report) -> Grid:
    repeated = report.measured.repeated
    rows = []
    for name, values in spread(repeated).items() if len(repeated) > 1 else ():
        scale, share = 1.0 if name == "rate" else 1e3, variation(values)
        rows.append(
            (
                "texts/s" if name == "rate" else f"{name}, ms",
                digits(scale * mean(values)) if values else "n/a",
                "n/a" if share is None else f"{share:.1%}",
                f"{digits(scale * min(values))} – {digits(scale * max(values))}" if values else "n/a",
            )
        )
    title = f"{len(repeated)} repeats of the sustained rate"
    return Grid(
        title, ("figure", "mean", "variation", "lowest – highest"), rows, "Coefficient of variation."
    )


def _soak(report: Report) -> Grid:
    soak = report.measured.soak
    if soak is None:
        return Grid("", (), ())
    drifts = soak.drifts
    rows = [
        (f"{name}, ms", ms(value), drift_text(drifts.get(name))) for name, value in soak.percentiles.items()
    ]
    if soak.memory:
        size = f"{soak.memory[-1] / 2**20:.0f} MiB"
        rows.append(("server's memory at the end", size, drift_text(drifts.get("memory"))))
    title = f"Soak: {soak.offered:.0f} texts/s for {report.config.soak_seconds:g} s"
    note = "Drift from the first to the last of its slices (Sen's slope), and how likely it is by chance."
    return Grid(title, ("figure", "all of it", "drift"), rows, note)


def drift_text(drift: Drift | None) -> str:
    """By which share something changed, and how likely that is by chance."""
    return "–" if drift is None else f"{drift.change:+.1%} (p = {drift.p_value:.2g})"


def _stages(report: Report) -> Grid:
    rows = [
        (
            phase_name(phase),
            *(ms(value) for value in (stages.tokenise, stages.queue, stages.compute, stages.total)),
            ms(phase.summary.percentiles["p50"]),
        )
        for phase in report.measured.phases
        if (stages := phase.stages)
    ]
    header = ("loop", "tokenise", "queue", "compute", "server total", "round trip")
    return Grid("Stages, median milliseconds", header, rows)


def _accuracy(report: Report) -> Grid:
    measured = report.accuracy
    if measured is None:
        return Grid("", (), ())
    variant, promise = report.promised or ("", {})
    rows = []
    for name, value in measured.metrics.items():
        promised, margin = promise.get(name), measured.margins.get(name)
        rows.append(
            (
                name.replace("_", "-"),
                f"{value:.4f} ± {margin:.4f}" if margin else f"{value:.4f}",
                "–" if promised is None else f"{promised:.4f}",
                "–" if promised is None else f"{value - promised:+.4f}",
            )
        )
    note = f"{measured.texts} of {measured.of} labelled texts answered"
    if measured.texts < measured.of:
        note += "; ± is half the 95 % interval for all of them"
    header = ("over the wire", "measured", f"promised {variant}".strip(), "difference")
    return Grid("Accuracy", header, rows, note + ".")


def _cost(report: Report) -> Grid:
    rows = [
        (
            machine.title,
            machine.hardware,
            f"{machine.hourly():.4f}",
            dollars(report.cost(machine)),
            str(machine.seen or "undated"),
        )
        for machine in report.machines
    ]
    if report.rate is None:
        rows = []
    note = (
        "An assumption, not a measurement: each machine is taken to reach the"
        f" {report.rate or 0:.1f} queries/s {report.conditions};"
        f" {report.config.utilisation:.0%} of it in use."
    )
    header = ("machine", "hardware", "$/hour", "$/million", "price seen")
    return Grid("Cost of a million queries", header, rows, note, narrow=False)


def _energy(report: Report) -> Grid:
    idle, tariff = report.measured.idle, report.tariff
    if idle is None:
        return Grid("", (), ())
    rows = [
        (
            phase_name(phase),
            digits(energy.watts),
            joules(query.joules),
            joules(query.marginal),
            f"{query.kwh_per_million:.3g}",
            dollars(None if tariff is None else query.dollars_per_million(tariff)),
        )
        for phase in report.measured.phases
        if (energy := phase.summary.energy) and (query := report.energy(phase))
    ]
    note = (
        f"Of {', '.join(idle.joules)}, with all that ran there, the load generator too. Idle before the"
        f" load: {digits(idle.watts)} W over {idle.seconds:.1f} s. "
    )
    note += "No machine named has a tariff." if tariff is None else f"Electricity at ${tariff:g} a kWh."
    header = ("loop", "watts", "J/query", "above idle", "kWh/million", "$/million")
    return Grid("Energy of a query", header, rows, note)


def phase_name(phase: Phase) -> str:
    """What a phase offered."""
    if phase.loop == "closed":
        return f"closed {phase.in_flight}"
    return f"open {phase.offered:.0f}/s"


def _verdict(phase: Phase) -> str:
    if phase.loop == "closed":
        return "–"
    if phase.verdict != "missed":
        return str(phase.verdict)
    too_few = phase.summary.percentiles["p99"] is None and not phase.summary.errors
    return "too few" if too_few else "missed"
