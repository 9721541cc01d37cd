"""The golden check: before READY, the real provider must give the answers that export sealed in."""

import numpy as np

from strop.errors import StropError
from strop.export.bundle import Bundle, Variant

from .engine import Engine


def check_golden(bundle: Bundle, variant: Variant, engine: Engine, budget: int) -> None:
    """Run the golden examples in batches of ``budget`` tokens, as they would be served.

    Raises ``StropError`` with the largest difference of a probability when it is above the
    variant's tolerance, or when there is nothing to check.
    """
    examples = bundle.golden()
    if not examples:
        raise StropError(f"{bundle.root} has no golden examples to check; export the run again")
    encoded = bundle.text_encoder().encode([example.text for example in examples])
    sequences = [one.ids for one in encoded]
    found = np.concatenate([engine.run(batch) for batch in engine.layout.batches(sequences, budget)])
    wanted = np.array([example.probabilities for example in examples], dtype=np.float32)
    if found.shape != wanted.shape:
        raise StropError(
            f"variant {variant.name!r} gives {found.shape[1]} probabilities a text where the golden"
            f" examples have {wanted.shape[1]}; export the run again"
        )
    differences = np.abs(found - wanted).max(axis=1)
    worst = int(differences.argmax())
    # Written so that a NaN counts as out of tolerance.
    if not differences[worst] <= variant.golden_tolerance:
        raise StropError(
            f"variant {variant.name!r} on {variant.provider} is off by {differences[worst]:.4g} on"
            f" golden example {worst + 1} of {len(examples)}, and its tolerance is"
            f" {variant.golden_tolerance:.4g}; serve another variant, or export on this machine"
        )
