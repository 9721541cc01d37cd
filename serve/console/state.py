"""How models and calls are, as a process tells it its own page, or through a file its supervisor's."""

import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from strop.staging import replace_file


@dataclass(frozen=True, slots=True)
class ModelState:
    """A version of a model in some of the processes."""

    name: str
    version: str
    state: str
    reason: str = ""
    """Why it isn't served."""
    variant: str = ""
    provider: str = ""
    pairs: bool = False
    """Whether it judges two texts together."""
    processes: int = 1
    """In how many it is so."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Calls that ended alike, with nothing of what their callers sent."""

    method: str
    model: str
    """Empty where none was named that is known."""
    code: str
    """Of gRPC."""
    message: str
    count: int
    last: float
    """Seconds since the epoch."""

    @property
    def kind(self) -> tuple[str, str, str, str]:
        """What makes two calls end alike."""
        return self.method, self.model, self.code, self.message


@dataclass(frozen=True, slots=True)
class State:
    """What a process tells beside its metrics."""

    draining: bool = False
    """It finishes what is under way and takes no more."""
    models: tuple[ModelState, ...] = ()
    failures: tuple[Failure, ...] = ()
    """The latest first."""

    def write(self, path: Path) -> None:
        """Write it as JSON; whoever reads the file reads all of it."""
        replace_file(path, json.dumps(asdict(self)))

    @classmethod
    def read(cls, path: Path) -> Self:
        """What ``write`` wrote; ``FileNotFoundError`` if there is none."""
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return cls(
            found["draining"],
            tuple(ModelState(**one) for one in found["models"]),
            tuple(Failure(**one) for one in found["failures"]),
        )


def merged(states: Iterable[State]) -> State:
    """What several processes tell together: models that are alike in some are told once for those."""
    states = list(states)
    models = Counter(model for state in states for model in state.models)
    failures: dict[tuple[str, str, str, str], Failure] = {}
    for one in (failure for state in states for failure in state.failures):
        if (known := failures.get(one.kind)) is None:
            failures[one.kind] = one
        else:
            count, last = known.count + one.count, max(known.last, one.last)
            failures[one.kind] = replace(one, count=count, last=last)
    return State(
        any(state.draining for state in states),
        tuple(replace(model, processes=count) for model, count in models.items()),
        latest_first(failures.values()),
    )


def latest_first(failures: Iterable[Failure]) -> tuple[Failure, ...]:
    """In the order in which they are shown."""
    return tuple(sorted(failures, key=lambda failure: failure.last, reverse=True))
