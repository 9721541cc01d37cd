"""Functions whose modules are loaded when they are first called: a command line only wants names."""

from collections.abc import Callable
from importlib import import_module
from typing import Any


def lazy(module: str, function: str) -> Callable[..., Any]:
    """A function of a module, given by its whole name, that loads the module when it is called."""

    def call(*arguments: Any) -> Any:
        return getattr(import_module(module), function)(*arguments)

    return call
