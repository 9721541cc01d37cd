"""The figures that two reports have in common, and by how much the second is worse."""

from collections.abc import Mapping
from dataclasses import dataclass

from strop.errors import InputError
from strop.tasks import TASKS

from ..saved import SavedReport

RATE = "rate within the SLO"
SETTINGS = (
    "slo_ms",
    "texts",
    "lengths",
    "texts_per_call",
    "protocol",
    "arrivals",
    "rate",
    "seconds",
    "in_flight",
    "utilisation",
)
"""Options of a benchmark that move its figures."""


@dataclass(frozen=True)
class Figure:
    """One thing that both reports tell."""

    name: str
    unit: str
    before: float | None
    """``None`` where it was not reached, or too little was measured to tell."""
    after: float | None
    lower_is_better: bool = False
    gated: bool = False
    """Whether ``strop bench gate`` goes by it."""

    @property
    def ratio(self) -> float | None:
        """After over before."""
        if self.before is None or self.after is None or self.before == 0:
            return None
        return self.after / self.before

    def worse(self, allowed: float) -> bool:
        """Whether it got worse by more than the share ``allowed`` of what it was.

        Something that is no longer reached is worse; something that never was can't be. A score below 0,
        as a correlation can be, is judged by how far it moved.
        """
        if self.before is None:
            return False
        if self.after is None:
            return True
        loss = self.after - self.before if self.lower_is_better else self.before - self.after
        return loss > allowed * abs(self.before) + 1e-12


def figures(before: SavedReport, after: SavedReport) -> list[Figure]:
    """All that both tell: rate, percentiles at that rate, scores, dollars by machine."""
    found = [Figure(RATE, "texts/s", before.rate, after.rate, gated=True)]
    for name in _common(before.percentiles, after.percentiles):
        one, other = _ms(before.percentiles.get(name)), _ms(after.percentiles.get(name))
        # What has no rate has no p99 at it either, and is told by the rate.
        gated = name == "p99" and None not in (one, other)
        found.append(Figure(f"{name} at that rate", "ms", one, other, lower_is_better=True, gated=gated))
    task = TASKS.get(after["server"].get("task", ""))
    for number, name in enumerate(_common(before.metrics, after.metrics)):
        errors = task is not None and name in task.lower_is_better
        pair = (before.metrics.get(name), after.metrics.get(name))
        found.append(Figure(name.replace("_", "-"), "", *pair, lower_is_better=errors, gated=number == 0))
    for name in _common(before.costs, after.costs):
        # A dollar less a second is told by the rate too, but a price can change as well.
        pair = (before.costs.get(name), after.costs.get(name))
        gated = None not in pair
        found.append(Figure(f"on {name}", "$/million", *pair, lower_is_better=True, gated=gated))
    return found


def require_alike(before: SavedReport, after: SavedReport) -> None:
    """``InputError`` naming the first of processor, cores and task in which the two differ."""
    for what, one, other in (
        *(
            (f"host's {fact}", before["host"].get(fact), after["host"].get(fact))
            for fact in ("cpu", "cores")
        ),
        ("task", before["server"].get("task"), after["server"].get("task")),
    ):
        if one != other:
            raise InputError(
                f"{before.path} and {after.path} are not alike: the {what} is {one} and {other};"
                " measure both on one machine, or give --unlike-machines"
            )


def unlike_settings(before: SavedReport, after: SavedReport) -> list[str]:
    """What a reader must know of how the two were measured."""
    one, other = before["config"], after["config"]
    return [
        f"{name.replace('_', '-')} was {one.get(name)}, then {other.get(name)}"
        for name in SETTINGS
        if one.get(name) != other.get(name)
    ]


def _ms(seconds: float | None) -> float | None:
    return None if seconds is None else 1e3 * seconds


def _common(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Names in both, in order; those of the one where the other has none at all."""
    if not before or not after:
        return list(before or after)
    return [name for name in before if name in after]
