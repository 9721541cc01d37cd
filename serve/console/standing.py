"""How a serving process is: its models and what failed, for its own page or its supervisor's."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

from ..repository.catalogue import Catalogue, Entry
from .failures import Failures
from .state import ModelState, State

INTERVAL_SECONDS = 1.0


class Standing:
    """The catalogue and the failures of this process; both are read from any thread."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self._failures = Failures()

    def failed(self, method: str, model: str, code: str, message: str) -> None:
        """A call failed. What it named is kept only if that is a model; else it is the caller's text."""
        self._failures.add(method, model if self.catalogue.has(model) else "", code, message)

    def state(self) -> State:
        """As it is now."""
        models = tuple(self._model(entry) for entry in self.catalogue.index())
        return State(not self.catalogue.ready, models, self._failures.latest())

    def _model(self, entry: Entry) -> ModelState:
        told = ModelState(*entry.key, str(entry.state), entry.reason)
        if (deployed := self.catalogue.deployed.get(entry.key)) is None:
            return told
        model = deployed.model
        return ModelState(*entry.key, told.state, told.reason, model.variant, model.provider, model.pairs)


@contextlib.asynccontextmanager
async def written(standing: Standing, path: Path) -> AsyncIterator[None]:
    """Keep the state in a file while the block runs, for a page that another process shows."""
    writer = asyncio.create_task(_write(standing, path))
    try:
        yield
    finally:
        writer.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await writer


async def _write(standing: Standing, path: Path) -> None:
    told: State | None = None
    while True:
        if (state := standing.state()) != told:
            # A full disk: the page tells what it knew, and calls go on.
            with contextlib.suppress(OSError):
                state.write(path)
                told = state
        await asyncio.sleep(INTERVAL_SECONDS)
