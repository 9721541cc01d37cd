"""infinity, from its own command line, with its own batching; the model as a Hugging Face folder."""

import os
import sys
from pathlib import Path

from .order import Order

if __name__ == "__main__":
    order = Order.read()
    command = str(Path(sys.executable).with_name("infinity_emb"))
    words = {
        "--model-id": order.folder,
        "--served-model-name": "classifier",
        "--engine": "torch",
        "--device": "cpu",
        "--dtype": "float32",
        "--batch-size": str(order.texts),
        "--host": "127.0.0.1",
        "--port": str(order.port),
        "--log-level": "warning",
    }
    flags = [word for pair in words.items() for word in pair]
    os.execv(command, [command, "v2", *flags, "--no-bettertransformer"])
