"""Mixed precision: int8 with those dense layers left in fp32 that int8 costs most."""

import json
from bisect import bisect_right
from collections.abc import Collection
from pathlib import Path
from tempfile import TemporaryDirectory

import onnx

from ..bundle.cpu import weight_limit
from .calibration import Calibration
from .int8 import quantised
from .record import record
from .surgery import load_untied, restored, siblings

# Nats. A probability then moves by at most 0.022 on average.
BOUND = 1e-3


def write(source: Path, target: Path, calibration: Calibration) -> None:
    """Write the form of the fp32 graph ``source`` to ``target``.

    Each family of sibling layers is quantised alone to see what it costs. As many families as stay
    together within ``BOUND`` are in int8, the least harmful first. What was measured is recorded as
    ``sensitivities`` (nats, by family, each with what the embeddings cost, which always are in int8)
    and what was left out as ``fp32``.
    """
    original, int8 = load_untied(source), quantised(source, calibration)
    families = siblings(original.graph)

    def mixed(chosen: Collection[str]) -> onnx.ModelProto:
        return restored(
            int8, original, [n for name in families if name not in chosen for n in families[name]]
        )

    with TemporaryDirectory() as folder:
        trial = Path(folder, "trial.onnx")

        def cost(chosen: Collection[str]) -> float:
            onnx.save(mixed(chosen), trial)
            return calibration.divergence(trial)

        costs = {name: cost([name]) for name in families}
        order = sorted(families, key=costs.__getitem__)
        count = bisect_right(range(1, len(order) + 1), BOUND, key=lambda count: cost(order[:count]))
    model = mixed(order[:count])
    record(
        model,
        weight_limit=str(weight_limit()),
        sensitivities=json.dumps(costs),
        fp32=json.dumps(order[count:]),
    )
    onnx.save(model, target)
