"""The report of a benchmark: everything measured and assumed."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from strop.cost import dollars_per_million
from strop.host import Host
from strop.tasks import Task

from .accuracy import Accuracy
from .clients import is_local
from .confidence import variation
from .config import BenchConfig
from .cost.price_book import Machine, doubt
from .energy import QueryEnergy
from .histogram import merge
from .run import Measured
from .search import Phase, sustained_interval

SCHEMA = "strop.bench/3"
MOST_VARIATION = 0.1
"""Between repeats; more is a warning."""


@dataclass(frozen=True)
class Report:
    """One benchmark."""

    created: datetime
    host: Host
    load: float
    """Processes that wanted a core, on average over the minute before."""
    versions: Mapping[str, str]
    config: BenchConfig
    task: Task
    """What the model that was measured is for."""
    measured: Measured
    accuracy: Accuracy | None
    promised: tuple[str, Mapping[str, float]] | None
    """The variant and the metrics that its bundle promises."""
    machines: Sequence[Machine]
    lengths: Mapping[int, int]
    """How many of the texts, or pairs, have so many characters."""
    unmetered: Sequence[str] = ()
    """Why the energy of something is not known."""

    @property
    def address(self) -> str:
        """Where the server listened."""
        return self.config.address

    @property
    def rate(self) -> float | None:
        """Texts per second sustained within the SLO; ``None`` where no rate tried met it."""
        sustained = self.measured.sustained
        return sustained.summary.rate if sustained else None

    def cost(self, machine: Machine) -> float | None:
        """US dollars per million texts on ``machine``, were it to reach the rate measured here."""
        if self.rate is None:
            return None
        return dollars_per_million(machine.hourly(), self.rate, self.config.utilisation)

    def energy(self, phase: Phase) -> QueryEnergy | None:
        """What a text took in a phase; ``None`` where nothing was metered or answered."""
        energy, idle, rate = phase.summary.energy, self.measured.idle, phase.summary.rate
        return QueryEnergy.of(energy, rate, idle) if energy and idle and rate else None

    @property
    def tariff(self) -> float | None:
        """US dollars a kilowatt-hour, by the first of the machines whose entry tells it."""
        told = (machine.dollars_per_kwh for machine in self.machines)
        return next((tariff for tariff in told if tariff is not None), None)

    @property
    def conditions(self) -> str:
        """What the rate was measured on, and so what each cost assumes."""
        if is_local(self.address):
            return f"measured here on {self.host}, client and server sharing them"
        return f"measured from {self.host.name} against {self.address}, whose hardware is not known"

    def warnings(self) -> list[str]:
        """What a reader must know before trusting a number."""
        measured = self.measured
        found = []
        if self.load > 0.5:
            found.append(f"the machine was not idle before: load {self.load:.1f}")
        for phase in measured.phases:
            name = f"{phase.loop} loop" + (f" at {phase.offered:.1f}/s" if phase.offered else "")
            if limit := phase.summary.client_limited:
                found.append(f"{name}: the client was the limit, not the server: {limit}")
            if phase.loop == "closed" and phase.summary.errors:
                counts = ", ".join(f"{count} {status}" for status, count in phase.summary.errors.items())
                found.append(f"{name}: failed calls: {counts}")
            # A rate that is too high drifts by nature.
            if phase.failure is None and phase.summary.drift and phase.summary.drift.matters:
                found.append(f"{name}: {phase.summary.drift}; more --seconds may show where it settles")
            if phase.summary.outliers:
                found.append(f"{name}: {phase.summary.outliers}")
        if self.accuracy and not any(self.accuracy.metrics.values()):
            found.append("no answer was as its text is labelled; give --texts with this model's own labels")
        if self.accuracy and self.accuracy.changed:
            found.append(f"{self.accuracy.changed} texts got another answer when asked again")
        found += self._unsteady()
        doubts = (doubt(machine, self.created.date()) for machine in self.machines)
        return found + [doubt for doubt in doubts if doubt]

    def _unsteady(self) -> list[str]:
        """Where measuring again gave, or might give, something else."""
        measured = self.measured
        low, high = sustained_interval(measured.opened)
        found = []
        if low and high and low > high:
            found.append(f"{low:.1f}/s met the SLO and {high:.1f}/s missed it; more --seconds may tell why")
        if measured.sustained and (energy := self.energy(measured.sustained)) and energy.marginal is None:
            found.append("the machine took no more power under load than idle: something else ran before")
        if measured.sustained and not measured.sustained.certain:
            found.append("chance may have decided that the sustained rate met the SLO; raise --seconds")
        for name, values in spread(measured.repeated).items():
            if (share := variation(values) or 0.0) > MOST_VARIATION:
                found.append(
                    f"{name} differs between repeats, with a coefficient of variation of {share:.0%}"
                )
        if measured.soak:
            found += [
                f"soak: {name} drifted by {drift.change:+.0%} (Mann-Kendall, p = {drift.p_value:.1g})"
                for name, drift in measured.soak.drifts.items()
                if drift.matters
            ]
            if failed := sum(sum(phase.summary.errors.values()) for phase in measured.soak.slices):
                found.append(f"soak: failed calls: {failed}")
        return found

    def fields(self) -> dict[str, Any]:
        """The report as ``strop.bench/3``: seconds, texts per second and US dollars throughout."""
        first = self.measured.first
        return {
            "schema": SCHEMA,
            "created": self.created.isoformat(),
            "server": {
                "address": self.address,
                "model": first.model,
                "version": first.version,
                "variant": first.variant,
                "task": self.task.name,
            },
            "host": asdict(self.host) | {"load_before": self.load},
            "versions": dict(self.versions),
            "config": asdict(self.config),
            "conditions": self.conditions,
            "sustained_rate": self.rate,
            "lengths": dict(sorted(self.lengths.items())),
            "sustained_interval": sustained_interval(self.measured.opened),
            "clients": self.measured.clients,
            "phases": [_phase(phase) for phase in self.measured.phases],
            "energy": self._energy(),
            "repeats": self._repeats(),
            "soak": self._soak(),
            "accuracy": self._accuracy(),
            "costs": [
                asdict(machine) | {"hourly": machine.hourly(), "dollars_per_million": self.cost(machine)}
                for machine in self.machines
            ],
            "warnings": self.warnings(),
        }

    def _energy(self) -> dict[str, Any]:
        sustained, idle = self.measured.sustained, self.measured.idle
        query = self.energy(sustained) if sustained else None
        told = query and {
            "joules_per_query": query.joules,
            "marginal_joules_per_query": query.marginal,
            "kwh_per_million": query.kwh_per_million,
            "dollars_per_kwh": self.tariff,
            "dollars_per_million": None if self.tariff is None else query.dollars_per_million(self.tariff),
        }
        return {"sustained": told, "idle": idle and asdict(idle), "unmetered": list(self.unmetered)}

    def _repeats(self) -> dict[str, Any] | None:
        repeated = self.measured.repeated
        if len(repeated) < 2:
            return None
        return {"hdr": merge(phase.summary.hdr for phase in repeated)} | {
            name: {"values": values, "coefficient_of_variation": variation(values)}
            for name, values in spread(repeated).items()
        }

    def _soak(self) -> dict[str, Any] | None:
        soak = self.measured.soak
        if soak is None:
            return None
        return {
            "offered": soak.offered,
            "percentiles": soak.percentiles,
            "hdr": soak.hdr,
            "drifts": {name: asdict(drift) for name, drift in soak.drifts.items()},
            "memory": soak.memory,
            "slices": [_phase(phase) for phase in soak.slices],
        }

    def _accuracy(self) -> dict[str, Any] | None:
        if self.accuracy is None:
            return None
        promised = dict(zip(("variant", "metrics"), self.promised, strict=True)) if self.promised else None
        return asdict(self.accuracy) | {"promised": promised}


def spread(phases: Sequence[Phase]) -> dict[str, list[float]]:
    """The figures that should be the same in every one of them: what was measured, by name."""
    found = {"rate": [phase.summary.rate for phase in phases]}
    for name in ("p50", "p99"):
        values = [phase.summary.percentiles[name] for phase in phases]
        found[name] = [value for value in values if value is not None]
    return found


def _phase(phase: Phase) -> dict[str, Any]:
    return asdict(phase) | {"verdict": phase.verdict}
