"""``strop bench-engines``: options, contenders, table."""

from .config import EnginesConfig


def bench_engines(config: EnginesConfig | None = None) -> None:
    """Measure every engine that runs a bundle here against padded PyTorch and the device's matrix peak.

    All of it in this process, one batch at a time, in turn. The table is printed and saved; a missed
    target ends with exit code 1.
    """
    # Not at the top: the options' help must not wait for numpy.
    from .suite import run_suite

    run_suite(config or EnginesConfig())
