"""Ray Serve with dynamic batching, its replicas on this machine."""

import os
from typing import Any

import ray
from ray import serve

from .order import Order
from .padded import Padded

order = Order.read()


class Classifier:
    """{"text": …} in, {"label": …, "score": …} out."""

    def __init__(self) -> None:
        self._model = Padded(order)

    @serve.batch(max_batch_size=order.texts, batch_wait_timeout_s=order.seconds)  # type: ignore[untyped-decorator]
    async def score(self, texts: list[str]) -> list[tuple[str, float]]:
        """Score a batch."""
        return self._model.score(texts)

    async def __call__(self, request: Any) -> dict[str, Any]:
        """Answer a call."""
        label, score = await self.score((await request.json())["text"])
        return {"label": label, "score": score}


if __name__ == "__main__":
    ray.init(include_dashboard=False, _temp_dir=os.getcwd())  # noqa: PTH109
    serve.start(http_options={"host": "127.0.0.1", "port": order.port})
    deployment = serve.deployment(num_replicas=order.workers, max_ongoing_requests=4 * order.texts)
    serve.run(deployment(Classifier).bind(), blocking=True)
