"""``strop bench``: options, load, report; and what is done with reports."""

from cyclopts import App

from .comparison.config import CompareConfig, GateConfig
from .config import BenchConfig

app = App(name="bench", help="Latency, accuracy and dollars per million queries.")


@app.default
def bench(config: BenchConfig) -> None:
    """Measure a running server: latency, sustained rate, accuracy over the wire, cost of a query.

    A closed loop finds what the server can do, open loops find which rate it sustains within the
    SLO, and the price book says what that costs. With --against two servers take turns, and their
    ratio is told instead. The report is written as JSON, Markdown and one HTML page.
    """
    # None of these at the top: the options' help must not wait for gRPC and numpy.
    if config.loadgen:
        from .loadgen import loadgen

        return loadgen(config)
    if config.against:
        from .ab import ab

        return ab(config)
    from .benchmark import benchmark

    return benchmark(config)


@app.command
def compare(config: CompareConfig) -> None:
    """What changed from one report to another: rate, percentiles, scores, dollars.

    Reports from machines or tasks that are not alike are refused, unless told.
    """
    # Not at the top, as above.
    from .comparison.compare import compare

    compare(config)


@app.command
def gate(config: GateConfig) -> None:
    """Exit code 1 if a report is worse than another one, for your CI.

    A line for each of these that got worse by more than allowed: the rate within the SLO, p99 at that
    rate, the task's first score, dollars on each machine.
    """
    # Not at the top, as above.
    from .comparison.compare import gate

    gate(config)
