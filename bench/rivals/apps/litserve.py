"""LitServe with dynamic batching."""

from typing import Any

from litserve import LitAPI, LitServer

from .order import Order
from .padded import Padded


class Classifier(LitAPI):  # type: ignore[misc]
    """{"text": …} in, {"label": …, "score": …} out."""

    def setup(self, device: str) -> None:
        """Load the model in a worker."""
        self._model = Padded(Order.read())

    def decode_request(self, request: dict[str, Any]) -> str:
        """The text of a call."""
        text: str = request["text"]
        return text

    def predict(self, texts: list[str]) -> list[tuple[str, float]]:
        """Score a batch."""
        return self._model.score(texts)

    def encode_response(self, scored: tuple[str, float]) -> dict[str, Any]:
        """The answer to a call."""
        label, score = scored
        return {"label": label, "score": score}


if __name__ == "__main__":
    order = Order.read()
    api = Classifier(max_batch_size=order.texts, batch_timeout=order.seconds)
    server = LitServer(api, accelerator="cpu", workers_per_device=order.workers)
    server.run(host="127.0.0.1", port=order.port, generate_client_file=False, log_level="warning")
