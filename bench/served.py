"""What a server serves, as far as a caller must know it."""

from dataclasses import dataclass

from strop.tasks import Task

from .calls import CALLS, Call
from .token_input import TokenInput

INPUTS = ("text", "text_pair")
"""What a server calls its input tensors."""


@dataclass(frozen=True)
class Served:
    """A model by its name, with what it tells and what it takes."""

    name: str
    task: Task
    inputs: tuple[str, ...] = INPUTS[:1]
    """The names of its input tensors: one text, or two that are judged together."""
    on_gpu: bool | None = None
    """Whether a GPU computes it; ``None`` where the server doesn't tell."""
    tokens: TokenInput | None = None
    """What it takes instead of texts, if the client is to tokenise them."""

    @property
    def call(self) -> Call:
        """How it is asked."""
        return CALLS[self.task.call](self.task)

    @classmethod
    def of(cls, name: str, task: Task, *, pairs: bool) -> "Served":
        """A model of a bundle."""
        return cls(name, task, INPUTS if pairs else INPUTS[:1])
