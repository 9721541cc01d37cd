"""``strop bench-train``: options, trainings, table."""

from .config import TrainingConfig


def bench_train(config: TrainingConfig | None = None) -> None:
    """Measure how quickly encoders are trained here, on random tokens.

    Tokens a second, and the share of this machine's measured arithmetic that they use (model FLOP
    utilisation). The table is printed and saved; a missed target ends with exit code 1.
    """
    # Not at the top: the option's help must not wait for what writes tables.
    from .suite import run_suite

    run_suite(config or TrainingConfig())
