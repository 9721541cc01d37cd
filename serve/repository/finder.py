"""Where a call goes: to what is served, or to what is loaded for it."""

from typing import Protocol

from ..errors import LoadingError, ModelControlError, NotFoundError
from .catalogue import Catalogue
from .deployed import Deployed

EXPLICIT = "start the server with --model-control explicit"


class ModelControl(Protocol):
    """Who loads and unloads models: a ``Controller``, or a fake in a test."""

    async def load(self, name: str) -> None:
        """Load the versions of a model that the server's options choose."""
        ...

    async def unload(self, name: str) -> None:
        """Unload all versions of a model once their calls are finished."""
        ...

    async def demand(self, name: str, version: str) -> None:
        """Wait until a model that a call names is loaded, if it may and can be."""
        ...


class Unchanged:
    """Nobody does: what is served stays."""

    async def load(self, name: str) -> None:
        """``ModelControlError``."""
        raise ModelControlError(f"models aren't loaded by request here; {EXPLICIT}")

    async def unload(self, name: str) -> None:
        """``ModelControlError``."""
        raise ModelControlError(f"models aren't unloaded by request here; {EXPLICIT}")

    async def demand(self, name: str, version: str) -> None:
        """Leaves it at that."""


class Finder:
    """Finds the model of a call."""

    def __init__(self, catalogue: Catalogue, control: ModelControl) -> None:
        self._catalogue = catalogue
        self._control = control

    async def find(self, name: str, version: str = "") -> Deployed:
        """``Catalogue.find``, after the model was loaded if the server does that on request.

        Nothing is waited for if it is there already: it can't be unloaded before the caller counts as
        a call to it.
        """
        try:
            return self._catalogue.find(name, version)
        except (NotFoundError, LoadingError):
            await self._control.demand(name, version)
        return self._catalogue.find(name, version)
