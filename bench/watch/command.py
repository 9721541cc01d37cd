"""``strop watch``."""

from .config import WatchConfig


def watch(config: WatchConfig) -> None:
    """Label a stream of texts with served models, and raise an alert when bad news surges.

    The share of bad news of each stream is compared with its own history, text by text. Every labelled
    text is a line of JSON, and so is an alert, which standard error tells too. It ends with exit code 0 if
    the input ends without an alert, 3 if there was one, 130 when interrupted; with --state the same command
    goes on where it was.
    """
    # Not at the top: the options' help must not wait for gRPC.
    from .run import run

    run(config)
