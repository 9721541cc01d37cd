"""``strop bench-serve``: options, parts, table."""

from .config import ServingConfig


def bench_serve(config: ServingConfig | None = None) -> None:
    """Measure ``strop serve`` against its targets: efficiency, padding, overload, fairness, soak.

    Starts its own servers and clients on this machine. Every ratio is taken inside one run with
    alternating contenders. The table is printed and saved; a missed target ends with exit code 1.
    """
    # Not at the top: the option's help must not wait for gRPC and numpy.
    from .suite import run_suite

    run_suite(config or ServingConfig())
