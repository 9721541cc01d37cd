"""The bundle's model as others compute it: its tokenizer, its graph, batches padded to their longest."""

from collections.abc import Sequence
from pathlib import Path

from strop.export.bundle import Bundle, Session
from strop.tasks import softmax

from .order import Order


class Padded:
    """The labels of texts by ONNX Runtime; ``score`` may be called from any thread."""

    def __init__(self, order: Order) -> None:
        bundle = Bundle.open(Path(order.bundle))
        variant = bundle.variant(order.variant)
        self._encoder = bundle.text_encoder()
        self._layout = variant.layout.padded()
        self._labels = bundle.manifest.labels
        self._session = Session(
            bundle.model_file(variant), provider=variant.provider, threads=order.threads
        )

    def score(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """The best label of each text and its probability, computed as one batch."""
        sequences = [encoded.ids for encoded in self._encoder.encode(texts)]
        probabilities = softmax(self._session.run(self._layout.feeds(sequences)))
        best = probabilities.argmax(axis=1).tolist()
        return [
            (self._labels[place], float(row[place])) for place, row in zip(best, probabilities, strict=True)
        ]
