"""MLServer's model of a Strop bundle: its tokenizer, its graph, batches padded to their longest.

Run by MLServer in an environment of its own; nothing of Strop imports it.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from strop.export.bundle import Bundle, Session
from strop.tasks import softmax


class PaddedClassifier(MLModel):  # type: ignore[misc]
    """BYTES ``text`` in, BYTES ``label`` and FP32 ``score`` out, as the served model has them."""

    async def load(self) -> bool:
        """Open the bundle of ``parameters.uri``; ``parameters.extra``: the variant, the instances."""
        wanted = self.settings.parameters.extra
        bundle = Bundle.open(Path(self.settings.parameters.uri))
        variant = bundle.variant(wanted["variant"])
        self._encoder = bundle.text_encoder()
        self._layout = variant.layout.padded()
        self._labels = np.array([label.encode() for label in bundle.manifest.labels])
        self._session = Session(bundle.model_file(variant), provider=variant.provider)
        self._instances = ThreadPoolExecutor(wanted["instances"])
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Score a batch in a thread, so that the next one is gathered meanwhile."""
        texts = StringCodec.decode_input(payload.inputs[0])
        scoring = asyncio.get_running_loop().run_in_executor(self._instances, self._score, texts)
        best, scores = await scoring
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                ResponseOutput(name="label", datatype="BYTES", shape=[len(texts)], data=best),
                ResponseOutput(name="score", datatype="FP32", shape=[len(texts)], data=scores),
            ],
        )

    def _score(self, texts: list[str]) -> tuple[list[bytes], list[float]]:
        sequences = [encoded.ids for encoded in self._encoder.encode(texts)]
        probabilities = softmax(self._session.run(self._layout.feeds(sequences)))
        return self._labels[probabilities.argmax(axis=1)].tolist(), probabilities.max(axis=1).tolist()
