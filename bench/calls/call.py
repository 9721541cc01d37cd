"""What a call is: the contract by which every model is asked and what it says is read."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from numpy.typing import NDArray

from strop.tasks import Result, Task

from ..columns import Text


class Call(ABC):
    """A call of strop.v1 to models of one task, and the same question in the Open Inference Protocol.

    A *result* is what a reply says of one text, in the form in which the task scores it.
    """

    name: ClassVar[str]
    """As in strop.v1."""
    fields: ClassVar[tuple[str, ...]] = ("texts", "pairs")
    """Of the typed request: what takes the first texts, and what takes the second ones if there are any."""
    ranked: ClassVar[bool] = False
    """Whether a result is a list, the best first, of which a caller may want the first few."""
    columns: ClassVar[tuple[str, ...]]
    """The names of what ``rows`` gives."""

    def __init__(self, task: Task) -> None:
        self.task = task

    def wishes(self, top_k: int | None) -> Mapping[str, Any]:
        """Further fields of the typed request.

        ``top_k`` is for calls that are ``ranked``: how many to give of each list, 0 for all of it, None
        for what the task is scored by.
        """
        return {}

    @abstractmethod
    def read(self, result: Any) -> Result:
        """One of the ``results`` of a typed reply; ``ValueError`` if something is missing in it."""

    @abstractmethod
    def outputs(self, top_k: int | None) -> Mapping[str, int]:
        """The tensors to ask the Open Inference Protocol for.

        0 asks for the tensor itself, a number for so many best classes of it as text, which is Triton's
        classification.
        """

    @abstractmethod
    def results(self, tensors: Mapping[str, NDArray[Any]]) -> Sequence[Result]:
        """The results in those tensors, FP32 as float32 and BYTES as text, each of shape [texts, …].

        Raises ``KeyError`` or ``ValueError`` if they are not what was asked for.
        """

    @abstractmethod
    def rows(self, text: Text, result: Result, top_k: int | None) -> Sequence[tuple[str, ...]]:
        """A result for a person to read: lines of ``columns``."""
