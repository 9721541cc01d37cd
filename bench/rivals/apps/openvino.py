"""OpenVINO, one text at a time, behind the minimal server; the bundle's graph in its own numbers."""

import threading
from collections.abc import Sequence
from pathlib import Path

import openvino

from strop.export.bundle import Bundle
from strop.tasks import softmax

from .minimal import Score, serve
from .order import Order


def _scorer(order: Order) -> Score:
    bundle = Bundle.open(Path(order.bundle))
    variant = bundle.variant(order.variant)
    encoder, layout, labels = bundle.text_encoder(), variant.layout.padded(), bundle.manifest.labels
    compiled = openvino.Core().compile_model(
        str(bundle.model_file(variant)),
        "CPU",
        {
            "NUM_STREAMS": order.instances,
            "INFERENCE_NUM_THREADS": order.instances * order.threads,
            # Otherwise it computes in bfloat16 where the CPU can, and no longer with the same numbers.
            "INFERENCE_PRECISION_HINT": "f32",
        },
    )
    inputs = [port.any_name for port in compiled.inputs]
    local = threading.local()

    def score(texts: Sequence[str]) -> list[tuple[str, float]]:
        if not hasattr(local, "request"):
            local.request = compiled.create_infer_request()
        feeds = layout.feeds([encoded.ids for encoded in encoder.encode(texts)])
        found = local.request.infer({name: feeds[name] for name in inputs})
        probabilities = softmax(found[compiled.output("logits")])
        return [(labels[int(row.argmax())], float(row.max())) for row in probabilities]

    return score


if __name__ == "__main__":
    order = Order.read()
    serve(order, _scorer(order))
