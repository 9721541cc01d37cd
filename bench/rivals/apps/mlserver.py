"""MLServer with adaptive batching, from its own command line."""

import json
import os
import sys
from pathlib import Path
from typing import Any

from .order import Order
from .ports import free_ports


def _write(path: str, **fields: Any) -> None:
    Path(path).write_text(json.dumps(fields), encoding="utf-8")


if __name__ == "__main__":
    order = Order.read()
    http_port, metrics_port = free_ports(2)
    _write(
        "settings.json",
        host="127.0.0.1",
        grpc_port=order.port,
        http_port=http_port,
        metrics_port=metrics_port,
        parallel_workers=order.workers,
        debug=False,
    )
    _write(
        "model-settings.json",
        name=order.model,
        implementation="strop.bench.rivals.apps.mlserver_runtime.Classifier",
        max_batch_size=order.texts,
        max_batch_time=order.seconds,
    )
    command = str(Path(sys.executable).with_name("mlserver"))
    os.execv(command, [command, "start", "."])
