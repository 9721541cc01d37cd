"""mosec with dynamic batching."""

import sys
from typing import Any

from mosec import Server, Worker

from .order import Order
from .padded import Padded


class Classifier(Worker):  # type: ignore[misc]
    """{"text": …} in, {"label": …, "score": …} out."""

    def __init__(self) -> None:
        super().__init__()
        self._model = Padded(Order.read())

    def forward(self, data: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Score a batch."""
        scored = self._model.score([one["text"] for one in data])
        return [{"label": label, "score": score} for label, score in scored]


if __name__ == "__main__":
    order = Order.read()
    # It reads its options from the command line.
    sys.argv[1:] = ["--address", "127.0.0.1", "--port", str(order.port), "--log-level", "warning"]
    server = Server()
    server.append_worker(
        Classifier, num=order.workers, max_batch_size=order.texts, max_wait_time=round(1e3 * order.seconds)
    )
    server.run()
