"""What stands in for packages that a machine with a card may lack, and without which nothing would run."""

import importlib
import sys
from types import ModuleType
from typing import Any


class _Annotation:
    """An annotation of an option, or the decorator of a class of options: says nothing, changes nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, decorated: Any) -> Any:
        return decorated


def without_cyclopts() -> None:
    """Let classes of options be imported where there is no command line: they are made directly here."""
    try:
        importlib.import_module("cyclopts")
    except ModuleNotFoundError:
        module = ModuleType("cyclopts")
        module.__dict__.update(Group=_Annotation, Parameter=_Annotation)
        sys.modules["cyclopts"] = module
