"""MLServer's model, which MLServer itself loads."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

from mlserver import MLModel
from mlserver.codecs import StringCodec
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from .order import Order
from .padded import Padded


class Classifier(MLModel):  # type: ignore[misc]
    """BYTES ``text`` in, BYTES ``label`` and FP32 ``score`` out, as the served model has them."""

    async def load(self) -> bool:
        """Open the bundle of this process's order."""
        order = Order.read()
        self._model = Padded(order)
        self._instances = ThreadPoolExecutor(order.instances)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Score a batch in a thread, so that the next one is gathered meanwhile."""
        texts = StringCodec.decode_input(payload.inputs[0])
        scoring = asyncio.get_running_loop().run_in_executor(self._instances, self._model.score, texts)
        labels, scores = zip(*(await scoring), strict=True)
        best = [label.encode() for label in labels]
        return InferenceResponse(
            model_name=self.name,
            outputs=[
                ResponseOutput(name="label", datatype="BYTES", shape=[len(texts)], data=best),
                ResponseOutput(name="score", datatype="FP32", shape=[len(texts)], data=list(scores)),
            ],
        )
