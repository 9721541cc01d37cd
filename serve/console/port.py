"""The metrics port, open or locked: /metrics and the console beside it."""

import contextlib
from collections.abc import Callable, Iterator
from functools import partial

from prometheus_client import CollectorRegistry

from ..config import ServeConfig
from ..doors.doors import Doors
from ..observe.page import MetricsPage
from .console import Console
from .site import Ask, Site
from .state import State


@contextlib.contextmanager
def metrics_port(
    registry: CollectorRegistry, state: Callable[[], State], config: ServeConfig, doors: Doors
) -> Iterator[tuple[Console, str]]:
    """Show a registry and a state while the block runs; yields the console and the port's address.

    Raises ``InputError`` when the port is taken.
    """
    console = Console(registry, state, tries=config.console_try)
    site = partial(Site, console, _ask(console, config))
    page = MetricsPage(registry, config.metrics_address, site, doors.certificates, doors.keys)
    with contextlib.closing(page), console.marking():
        yield console, page.address


def _ask(console: Console, config: ServeConfig) -> Ask | None:
    if not config.console_try:
        return None
    # Not at the top: the supervisor of the workers does without gRPC.
    from .trial import Trial

    return Trial(lambda: console.address)
