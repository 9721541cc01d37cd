"""A recipe: what is cut away from the model, and the numbers that the rest computes with."""

import math
import re
from dataclasses import dataclass
from typing import Self

from strop.errors import InputError

REFERENCE = "fp32"
"""The precision of the reference, and the name of the variant that it is."""


@dataclass(frozen=True)
class Shape:
    """What is left of a model; ``None`` leaves a part whole."""

    layers: int | None = None
    heads: int | None = None
    """Attention heads in each layer."""
    ffn: int | None = None
    """Percent of each layer's feed-forward neurons."""
    vocab: bool = False
    """Whether only the tokens of the training texts keep an embedding of their own."""
    sparse24: bool = False
    """Whether two of every four weights of the encoder's dense layers are zero."""

    @property
    def whole(self) -> bool:
        """Whether nothing is cut away."""
        return self == Shape()

    @property
    def sizes(self) -> dict[str, int]:
        """The parts that are made smaller, by name."""
        parts = {"layers": self.layers, "heads": self.heads, "ffn": self.ffn}
        return {name: size for name, size in parts.items() if size is not None}

    @property
    def taught(self) -> bool:
        """Whether it answers otherwise than the whole model, from which it should learn."""
        return bool(self.sizes) or self.sparse24

    def within(self, other: "Shape") -> bool:
        """Whether no part is larger than the other's."""
        return (
            self.vocab >= other.vocab
            and self.sparse24 >= other.sparse24
            and all(self.sizes.get(name, math.inf) <= size for name, size in other.sizes.items())
        )

    def __str__(self) -> str:
        """``layers3+ffn50+vocab``; empty for a whole model."""
        sizes = [f"{name}{size}" for name, size in self.sizes.items()]
        return "+".join([*sizes, *(name for name in SWITCHES if getattr(self, name))])


_SIZE = re.compile("(layers|heads|ffn)([1-9][0-9]*)")
SWITCHES = ("vocab", "sparse24")
"""The cuts that have no size."""


@dataclass(frozen=True)
class Recipe:
    """How one variant is made."""

    shape: Shape
    precision: str

    @classmethod
    def parse(cls, text: str, precisions: tuple[str, ...]) -> Self:
        """Read ``layers3+ffn50+int8``: cuts, then one of ``precisions``; without one it is fp32.

        Raises ``InputError`` naming the step that is neither, or not in its place.
        """
        *steps, last = text.split("+")
        known = (REFERENCE, *precisions)
        precision = last if last in known else REFERENCE
        cuts: dict[str, int] = {}
        for step in steps if last in known else (*steps, last):
            if step in known:
                raise InputError(
                    f"--recipes {text}: {step} must be the last step, once; cuts come before it"
                )
            found = _SIZE.fullmatch(step)
            name, size = (found[1], int(found[2])) if found else (step, 1)
            if (found is None and step not in SWITCHES) or name in cuts or (name == "ffn" and size >= 100):
                raise InputError(
                    f"--recipes {text}: {step!r} is no step; join cuts such as layers3, heads8, ffn50"
                    f" (percent), vocab or sparse24, each at most once, and one of"
                    f" {', '.join(precisions)} with +"
                )
            cuts[name] = size
        vocab, sparse24 = (bool(cuts.pop(name, 0)) for name in SWITCHES)
        return cls(Shape(**cuts, vocab=vocab, sparse24=sparse24), precision)

    def __str__(self) -> str:
        """The variant's name."""
        steps = [str(self.shape)] * (not self.shape.whole)
        return "+".join(steps + [self.precision] * (self.precision != REFERENCE or not steps))
