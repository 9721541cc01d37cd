"""Where a call goes: to what is served, or to what is loaded for it."""

from collections.abc import Callable
from typing import Protocol

from ..errors import LoadingError, NotFoundError
from .catalogue import Catalogue
from .deployed import Deployed
from .router import Router


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


Sticky = Callable[[], str]
"""What keeps a caller with one version of those that share the calls; nothing if all are the same to it."""


def no_key() -> str:
    """The caller has none."""
    return ""


class Finder:
    """Finds the model of a call."""

    def __init__(self, catalogue: Catalogue, control: ModelControl, router: Router | None = None) -> None:
        self._catalogue = catalogue
        self._control = control
        self._router = router

    async def find(self, name: str, version: str = "", sticky: Sticky = no_key) -> Deployed:
        """What the routes lead to, or else ``Catalogue.find``.

        Where the server loads on request, that is waited for; else nothing is, and what is found can't
        be unloaded before the caller counts as a call to it. Raises as ``Catalogue.find`` does.
        """
        name, version = self._routed(name, version, sticky)
        try:
            return self._catalogue.find(name, version)
        except (NotFoundError, LoadingError):
            await self._control.demand(name, version)
        return self._catalogue.find(name, version)

    def has(self, name: str, version: str = "") -> bool:
        """Whether a call for these would be answered."""
        return self._catalogue.has(*self._routed(name, version, no_key))

    def _routed(self, name: str, version: str, sticky: Sticky) -> tuple[str, str]:
        if self._router is None or not self._router.routes:
            return name, version
        key = self._router.resolve(name or self._catalogue.only_name or "", version, sticky)
        return key or (name, version)
