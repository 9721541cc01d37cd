"""``strop tune``: options, search, table, file."""

from .config import TuneConfig


def tune(config: TuneConfig) -> None:
    """Find the serve options that sustain the highest rate within your SLO on this machine.

    Servers are started with one setting after the other and loaded with your texts: briefly all of
    them, then at length the best few in turn with the defaults. The result stands in a TOML file
    that strop serve reads, and says whether it beats the defaults.
    """
    # Not at the top: the option's help must not wait for gRPC and numpy.
    from .tuning import tuning

    tuning(config)
