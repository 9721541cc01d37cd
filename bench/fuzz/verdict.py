"""What a target may end with, and what counts as a finding."""

import hashlib
import re
from collections.abc import Iterable
from typing import Protocol

import grpc

REFUSALS = frozenset(
    {
        grpc.StatusCode.INVALID_ARGUMENT,
        grpc.StatusCode.NOT_FOUND,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
    }
)
"""The statuses that a request may end with beside OK."""


class FindingError(Exception):
    """An input broke a promise; the message says how, alike for inputs that break it alike."""

    @property
    def digest(self) -> str:
        """A short name of what is alike but for numbers and quotations."""
        alike = re.sub(r"'[^']*'|\d+", "", str(self))
        return hashlib.sha256(alike.encode()).hexdigest()[:12]


class Target(Protocol):
    """What is fuzzed."""

    def seeds(self) -> Iterable[bytes]:
        """Valid inputs, and a few that are refused."""
        ...

    def mutate(self, data: bytes, size: int, seed: int) -> bytes:
        """Another input of at most ``size`` bytes."""
        ...

    def run(self, data: bytes) -> str:
        """Try one input; returns what it ended with, by which outcomes are counted.

        Raises ``FindingError``.
        """
        ...


def judge(code: grpc.StatusCode, message: str) -> str:
    """The name of a status; ``FindingError`` for one that no request may cause, or without a reason."""
    if code is grpc.StatusCode.OK:
        return str(code.name)
    if code not in REFUSALS:
        raise FindingError(f"{code.name}: {message}")
    # By the house's rule a refusal names the thing and then, behind a semicolon, the fix.
    if code is grpc.StatusCode.INVALID_ARGUMENT and ";" not in message:
        raise FindingError(f"{code.name} without a fix: {message}")
    if not message:
        raise FindingError(f"{code.name} without a reason")
    return str(code.name)
