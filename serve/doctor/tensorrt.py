"""TensorRT: whether it goes with the driver, the card, and the variants that were made for it."""

from collections.abc import Iterator, Mapping

from strop.errors import InputError
from strop.export.tensorrt import Found, NotAvailableError, find, target, unfit

from .finding import Finding, ok, warn

PACKAGES = ("tensorrt", "tensorrt-rtx")


def read_tensorrt(packages: Mapping[str, str]) -> Found | None:
    """Ask for it and for the card, in a process of its own; None where no TensorRT is installed.

    ``packages`` are versions of what is installed, by name.
    """
    return find() if any(name in packages for name in PACKAGES) else None


def judge_tensorrt(
    found: Found | None, device: bool, asked: Mapping[str, Mapping[str, str]]
) -> Iterator[Finding]:
    """What it means for a server; ``asked`` are the facts of bundles' variants for TensorRT, by name."""
    if found is None:
        if asked:
            names = ", ".join(asked)
            yield warn(
                "TensorRT", f"not installed, and {names} is made for it", "pip install 'strop[tensorrt]'"
            )
        return
    if found.library is not None and not device:
        yield ok("TensorRT", f"{found.library}; there is no GPU, so it only builds engines ahead")
        return
    try:
        capability = target(found)
    except NotAvailableError as error:
        why, _, fix = error.reason.rpartition("; ")
        yield warn("TensorRT", f"can't be used: {why}", fix)
        return
    yield ok("TensorRT", f"{found.library}, on {found.card}")
    for name, facts in asked.items():
        try:
            reason = unfit(facts, capability)
        except InputError as error:
            reason = str(error)
        if reason:
            yield warn("TensorRT", f"variant {name} can't be served: {reason}", "serve --variant another")
