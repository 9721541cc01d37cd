"""``strop bench``: options, load, report."""

from .config import BenchConfig


def bench(config: BenchConfig) -> None:
    """Measure a running server: latency, sustained rate, accuracy over the wire, cost of a query.

    A closed loop finds what the server can do, open loops find which rate it sustains within the
    SLO, and the price book says what that costs. With --against two servers take turns, and their
    ratio is told instead. The report is written as JSON and Markdown.
    """
    if config.loadgen:
        from .loadgen import loadgen

        return loadgen(config)
    if config.against:
        from .ab import ab

        return ab(config)
    # Not at the top: the option's help must not wait for gRPC and numpy.
    from .benchmark import benchmark

    return benchmark(config)
