"""What classes of options are annotated with: they are made directly here, and no command line is read."""

from typing import Any


class _Annotation:
    """An annotation of an option, or the decorator of a class of options: says nothing, changes nothing."""

    def __init__(self, *_: object, **__: object) -> None:
        pass

    def __call__(self, decorated: Any) -> Any:
        return decorated


Group = Parameter = _Annotation
