"""How far a variant's answers on this machine are from the golden examples."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from strop.errors import StropError
from strop.tasks import Outputs, by_example

from .cpu import unfit
from .directory import Bundle
from .golden import GoldenExample
from .layout import IntArray, Layout
from .manifest import Variant
from .tokenizer import Encoded, count_windows

Answer = Callable[[Sequence[IntArray]], Outputs]
"""The outputs for n sequences of token ids."""


@dataclass(frozen=True)
class Drift:
    """The golden example that a variant answers worst."""

    difference: float
    """The largest absolute difference of an output; NaN if an answer has one."""
    example: int
    """Its place, counted from 1."""
    examples: int

    @classmethod
    def of(cls, bundle: Bundle, variant: Variant, answer: Answer, layout: Layout, tokens: int) -> Self:
        """Let ``answer`` compute the golden examples in batches of ``tokens`` tokens.

        Raises ``StropError`` when there is nothing to compare with, or when this CPU can't add up
        the variant's 8-bit products.
        """
        if unfit(variant.facts):
            raise StropError(
                f"variant {variant.name!r} was made for a CPU that adds up 8-bit products exactly (VNNI),"
                " and this one doesn't; export on a machine like this one, or serve another variant"
            )
        examples = bundle.golden()
        if not examples:
            raise StropError(f"{bundle.root} has no golden examples to check; export the run again")
        try:
            batches = layout.batches([one.ids for one in _encoded(bundle, examples)], tokens)
            found = [row for batch in batches for row in answer(batch)]
        except StropError:
            raise
        except Exception as error:  # what a graph raises has no base but this
            reason = " ".join(str(error).split())
            raise StropError(
                f"variant {variant.name!r} can't compute the golden examples: {reason};"
                " export the run again"
            ) from error
        for row, example in zip(found, examples, strict=True):
            if row.shape != example.output.shape:
                raise StropError(
                    f"variant {variant.name!r} gives outputs of shape {list(row.shape)} where the golden"
                    f" examples have {list(example.output.shape)}; export the run again"
                )
        difference = bundle.task.difference
        differences = np.array(
            [difference(row, example.output) for row, example in zip(found, examples, strict=True)]
        )
        worst = int(differences.argmax())
        return cls(float(differences[worst]), worst + 1, len(examples))

    def fault(self, variant: Variant, provider: str) -> str | None:
        """What is wrong with the variant on ``provider``, if its drift is more than it may be."""
        # Written so that a NaN counts as out of tolerance.
        if self.difference <= variant.golden_tolerance:
            return None
        return (
            f"variant {variant.name!r} on {provider} is off by {self.difference:.4g} on golden"
            f" example {self.example} of {self.examples}, and its tolerance is"
            f" {variant.golden_tolerance:.4g}; serve another variant, or export on this machine"
        )


def _encoded(bundle: Bundle, examples: Sequence[GoldenExample]) -> list[Encoded]:
    """Of each example's text the window that its output is of."""
    encoded = bundle.text_encoder().encode([example.text for example in examples])
    texts = by_example(encoded, count_windows(encoded))
    for number, (windows, example) in enumerate(zip(texts, examples, strict=True), 1):
        if example.window >= len(windows):
            raise StropError(
                f"golden example {number} is of window {example.window}, and its text has"
                f" {len(windows)}; export the run again"
            )
    return [windows[example.window] for windows, example in zip(texts, examples, strict=True)]
