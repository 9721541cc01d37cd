"""What a report says of a target."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Fuzzed:
    """What became of one target's inputs."""

    inputs: int
    seconds: float
    slowest_seconds: float
    """The input that took longest, others' use of the machine included."""
    branches: int
    """Of the instrumented code, that some input took."""
    corpus: int
    """Inputs that are kept, because each takes a branch, or takes one so often, as none before it."""
    outcomes: Mapping[str, int]
    findings: Mapping[str, str]
