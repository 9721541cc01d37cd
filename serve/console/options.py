"""The options of ``strop serve`` for the web console."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ConsoleOptions:
    """What the page on the metrics address can do."""

    console_try: bool = False
    """Give the console at http://METRICS_ADDRESS/ a box to try a text in. Set it where whoever reaches
    the metrics may ask the models, too: the box asks for nobody's name."""
