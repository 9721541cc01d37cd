"""``strop bench-rivals``: options, contenders, table."""

from .config import RivalsConfig


def bench_rivals(config: RivalsConfig | None = None) -> None:
    """Measure other servers of the same model beside Strop's: rates within the SLO, ratios, dollars.

    Each rival is installed in an environment of its own, checked to give the same labels, tried in
    several settings, and measured at its best, in turns with Strop. One that can't be had here is
    listed with the reason.
    """
    config = config or RivalsConfig()
    # Not at the top: the option's help must not wait for gRPC and numpy.
    from .prepare import prepare
    from .suite import run_suite

    (prepare if config.prepare else run_suite)(config)
