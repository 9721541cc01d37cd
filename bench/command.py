"""``strop bench``: options, load, report."""

from .config import BenchConfig


def bench(config: BenchConfig) -> None:
    """Measure a running server: latency, sustained rate, accuracy over the wire, cost of a query.

    A closed loop finds what the server can do, open loops find which rate it sustains within the
    SLO, and the price book says what that costs. The report is written as JSON and Markdown.
    """
    if config.loadgen:
        from .loadgen import loadgen

        return loadgen(config)
    # Not at the top: the option's help must not wait for gRPC and numpy.
    from .benchmark import benchmark

    return benchmark(config)
