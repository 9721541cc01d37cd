"""The record of a comparison: rates within the SLO, ratios, costs, and who could not be measured."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from statistics import median

from strop.cost import dollars_per_million
from strop.host import Host

from ..accuracy import Accuracy
from ..confidence import mean_ratio
from ..cost.price_book import doubt
from ..histogram import merge, percentile
from ..search import Phase
from .contenders import Contender, Turn
from .setting import Setting

SCHEMA = "strop.bench-rivals/1"
IDLE_LOAD = 0.5
Ratio = tuple[float, tuple[float, float]]
"""A ratio and its 95 % interval."""


@dataclass
class RivalsReport:
    """One comparison, as far as it has come."""

    created: datetime
    host: Host
    load: float
    """Processes that wanted a core, on average over the minute before."""
    versions: Mapping[str, str]
    setting: Setting
    own: Sequence[Contender]
    """Strop's: in fp32 as the rivals, and in the variant that it serves by default."""
    rivals: list[Contender] = field(default_factory=list)
    common: float | None = None
    """Texts per second that were offered to all."""
    turns: dict[str, list[Turn]] = field(default_factory=dict)
    """What each contender gave, round by round."""
    failures: dict[str, str] = field(default_factory=dict)
    """Why a rival could not be measured."""

    @property
    def contenders(self) -> list[Contender]:
        """All that take turns."""
        return [*self.own, *(rival for rival in self.rivals if rival.name not in self.failures)]

    @property
    def measured(self) -> list[Contender]:
        """Those that have had one."""
        return [one for one in self.contenders if self.turns.get(one.name)]

    def rates(self, name: str) -> list[float]:
        """Texts per second sustained within the SLO, round by round; 0 where no rate tried met it."""
        found = [turn.measured.sustained for turn in self.turns.get(name, ())]
        return [phase.summary.rate if phase else 0.0 for phase in found]

    def rate(self, name: str) -> float:
        """Their median; 0 before the first."""
        return median(self.rates(name) or [0.0])

    def ratio(self, own: str, name: str) -> Ratio | None:
        """Ours over the rival's, as ``mean_ratio`` has it; ``None`` where either missed the SLO in a round.

        In the midst of a round one of the two has a turn more, which doesn't count.
        """
        pairs = list(zip(self.rates(own), self.rates(name), strict=False))
        if not pairs or not all(map(all, pairs)):
            return None
        mine, theirs = zip(*pairs, strict=True)
        return mean_ratio(mine, theirs)

    def cost(self, name: str) -> float | None:
        """US dollars per million texts at the median rate, were the machine as fast as this one."""
        rate = self.rate(name)
        return dollars_per_million(self.setting.machine.hourly(), rate, 1.0) if rate else None

    def offered_all(self, name: str) -> list[Phase]:
        """Its open loops at the common rate, round by round."""
        return [turn.common for turn in self.turns.get(name, ()) if turn.common]

    def percentile(self, name: str, percent: float) -> float | None:
        """That percentile of all rounds' calls at the common rate, in seconds; ``None`` of too few."""
        return percentile(self.latencies(name), percent)

    def latencies(self, name: str) -> str:
        """The histogram of all rounds' calls at the common rate."""
        return merge(phase.summary.hdr for phase in self.offered_all(name))

    def accuracy(self, name: str) -> Accuracy | None:
        """Of the first round's answers."""
        return next((turn.accuracy for turn in self.turns.get(name, ())), None)

    def warnings(self) -> list[str]:
        """What a reader must know before trusting a number."""
        found = [f"the machine was not idle before: load {self.load:.1f}"] if self.load > IDLE_LOAD else []
        for name, turns in self.turns.items():
            phases = [phase for turn in turns for phase in turn.phases]
            limits = [limit for phase in phases if (limit := phase.summary.client_limited)]
            if limits:
                loops = f"{len(limits)} of {len(phases)} loops"
                found.append(f"{name}: in {loops} the client was the limit: {limits[0]}")
        stale = doubt(self.setting.machine, self.created.date())
        return [*found, *([stale] if stale else [])]

    def fields(self) -> dict[str, object]:
        """The record under its schema: seconds, texts per second and US dollars throughout."""
        machine = self.setting.machine
        return {
            "schema": SCHEMA,
            "created": self.created.isoformat(),
            "host": asdict(self.host) | {"load_before": self.load},
            "versions": dict(self.versions),
            "config": asdict(self.setting.config),
            "machine": asdict(machine) | {"hourly": machine.hourly()},
            "common_rate": self.common,
            "contenders": [self._fields(one) for one in self.contenders],
            "failures": self.failures,
            "warnings": self.warnings(),
        }

    def _fields(self, one: Contender) -> dict[str, object]:
        accuracy, ratios = self.accuracy(one.name), {}
        for mine in self.own:
            ratio = self.ratio(mine.name, one.name)
            ratios[mine.name] = dict(zip(("ratio", "interval"), ratio, strict=True)) if ratio else None
        return {
            "name": one.name,
            "title": one.title,
            "requires": list(one.requires),
            "settings": one.settings,
            "tried": dict(one.tried),
            "alike": one.alike,
            "rates": self.rates(one.name),
            "ratios": ratios,
            "dollars_per_million": self.cost(one.name),
            "at_common_rate": {
                "p50": self.percentile(one.name, 50.0),
                "p99": self.percentile(one.name, 99.0),
            },
            "accuracy": asdict(accuracy) if accuracy else None,
            "hdr": self.latencies(one.name),
            "rounds": [[_phase(phase) for phase in turn.phases] for turn in self.turns.get(one.name, ())],
        }


def _phase(phase: Phase) -> dict[str, object]:
    return {
        "loop": phase.loop,
        "offered": phase.offered,
        "rate": phase.summary.rate,
        "percentiles": dict(phase.summary.percentiles),
        "errors": dict(phase.summary.errors),
        "failure": phase.failure,
    }
