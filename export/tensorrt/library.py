"""Which TensorRT is installed, which card is there, and what the one can build for."""

import json
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from strop.errors import InputError

MODULES = ("tensorrt", "tensorrt_rtx")
"""The first that is installed is taken: TensorRT knows more cards and tunes on the card itself."""
RTX = "tensorrt_rtx"
INSTALL = "pip install 'strop[tensorrt]', or TensorRT 10 or 11 from NVIDIA's package index"
PROBE = f"{__name__.rpartition('.')[0]}.probe"
PROBE_SECONDS = 120.0
ASKED = "compute_capability"
"""Of ``Variant.facts``: the least that its graph can be computed on."""


class NotAvailableError(InputError):
    """TensorRT can't be used here; the message says why, and what to install."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"TensorRT is not available, because {reason}")
        self.reason = reason


@dataclass(frozen=True)
class Library:
    """An installed TensorRT."""

    module: str
    """What it is imported as."""
    version: str
    cuda: str
    """The major version of CUDA that it was made for, as its package says."""
    capabilities: tuple[str, ...] = ()
    """Compute capabilities that it can build for without such a card; none of TensorRT itself, which
    times kernels on the card."""

    def __str__(self) -> str:
        return f"{self.module} {self.version} for CUDA {self.cuda}"


@dataclass(frozen=True)
class Card:
    """The GPU that engines run on: the first that CUDA shows."""

    name: str
    compute_capability: str
    driver_cuda: str
    """The newest CUDA that its driver can run."""

    def __str__(self) -> str:
        return (
            f"{self.name}, compute capability {self.compute_capability}, driver for CUDA {self.driver_cuda}"
        )


@dataclass(frozen=True)
class Found:
    """What is there, and of what isn't the reason."""

    library: Library | None
    no_library: str
    card: Card | None
    no_card: str

    def require_library(self) -> Library:
        """The library; ``NotAvailableError`` says why there is none."""
        if self.library is None:
            raise NotAvailableError(f"{self.no_library}; {INSTALL}")
        return self.library

    def require_card(self) -> Card:
        """The card; ``NotAvailableError`` says why there is none."""
        if self.card is None:
            fix = "install NVIDIA's driver, for CUDA 13 or later, and pip install 'strop[tensorrt]'"
            raise NotAvailableError(f"{self.no_card}; {fix}")
        return self.card


def target(found: Found, asked: str | None = None) -> str:
    """The compute capability to build for: of this machine's card, unless another is ``asked`` for.

    Raises ``InputError`` when nothing here can build for that one, ``NotAvailableError`` when no library
    or no card is there.
    """
    library = found.require_library()
    if asked is None:
        card = found.require_card()
        asked = card.compute_capability
        if library.cuda.isdecimal() and _numbers(card.driver_cuda) < (int(library.cuda),):
            raise NotAvailableError(
                f"the driver runs CUDA {card.driver_cuda} at most and {library} wants more; update the"
                f" driver, or install a TensorRT for CUDA {card.driver_cuda.partition('.')[0]}"
            )
        if library.capabilities and asked not in library.capabilities:
            raise NotAvailableError(
                f"{library} is not made for this card's compute capability {asked}, only for"
                f" {', '.join(library.capabilities)}; install TensorRT 10 or 11 instead"
            )
    elif asked not in library.capabilities and (
        found.card is None or asked != found.card.compute_capability
    ):
        builds = ", ".join(library.capabilities) or (
            found.card.compute_capability if found.card else "the card that is there, and here is none"
        )
        raise InputError(f"--compute-capability is {asked}; {library} builds for {builds} here")
    return asked


def missing() -> str | None:
    """Why TensorRT can't compute on this machine, and what to install; None if it can."""
    try:
        target(find())
    except NotAvailableError as error:
        return error.reason
    return None


def unfit(facts: Mapping[str, str], capability: str) -> str | None:
    """Why a card of a compute capability can't compute a variant of these ``Variant.facts``, if it can't.

    Raises ``InputError`` when they ask for what is no compute capability.
    """
    asked = facts.get(ASKED, "0.0")
    if not re.fullmatch(r"[0-9]{1,3}\.[0-9]{1,3}", asked):
        raise InputError(f"the bundle's {ASKED} is {asked!r} and should be like 8.9; export the run again")
    if _numbers(capability) < _numbers(asked):
        return f"it asks for compute capability {asked} or later and the card has {capability}"
    return None


def unfit_here(facts: Mapping[str, str]) -> str | None:
    """The same for the card of this machine; None where there is none."""
    card = find().card if ASKED in facts else None
    return unfit(facts, card.compute_capability) if card is not None else None


@cache
def find() -> Found:
    """What is installed here, asked once."""
    command = [sys.executable, "-m", PROBE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        slow = f"asking took more than {PROBE_SECONDS:.0f} s"
        return Found(None, slow, None, slow)
    failure = f"asking ended with exit code {done.returncode}: {_last(done.stderr)}"
    # Each answer is a line of its own: one that is there holds, whatever happened after it.
    said: dict[str, Any] = {}
    for line in done.stdout.splitlines():
        if line.startswith("{"):
            said |= json.loads(line)
    library, card = said.get("library"), said.get("card")
    return Found(
        None if library is None else Library(**{**library, "capabilities": tuple(library["capabilities"])}),
        said.get("no_library", failure),
        None if card is None else Card(**card),
        said.get("no_card", failure),
    )


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _last(text: str) -> str:
    return (text.strip().splitlines() or ["no message"])[-1]
