"""Triton Inference Server through nvidia-pytriton, with its dynamic batcher."""

import os
import sysconfig
from typing import Any

import numpy as np
from pytriton.decorators import batch
from pytriton.model_config import DynamicBatcher, ModelConfig, Tensor
from pytriton.triton import Triton, TritonConfig

from .order import Order
from .padded import Padded
from .ports import free_ports


def _instance(order: Order) -> Any:
    model = Padded(order)

    @batch  # type: ignore[untyped-decorator]
    def infer(text: Any) -> dict[str, Any]:
        scored = model.score([one.decode() for (one,) in text.tolist()])
        labels, scores = zip(*scored, strict=True)
        return {
            "label": np.array([[label.encode()] for label in labels]),
            "score": np.array(scores, dtype=np.float32)[:, np.newaxis],
        }

    return infer


if __name__ == "__main__":
    order = Order.read()
    # Its backend embeds Python; another library than this interpreter's would not go with the modules.
    os.environ["LD_LIBRARY_PATH"] = str(sysconfig.get_config_var("LIBDIR"))
    (grpc_port,) = free_ports(1)
    config = TritonConfig(
        http_address="127.0.0.1",
        http_port=order.port,
        grpc_address="127.0.0.1",
        grpc_port=grpc_port,
        allow_metrics=False,
    )
    with Triton(config=config) as triton:
        triton.bind(
            model_name="classifier",
            infer_func=[_instance(order) for _ in range(order.instances)],
            inputs=[Tensor(name="text", dtype=bytes, shape=(1,))],
            outputs=[
                Tensor(name="label", dtype=bytes, shape=(1,)),
                Tensor(name="score", dtype=np.float32, shape=(1,)),
            ],
            config=ModelConfig(
                max_batch_size=order.texts,
                batcher=DynamicBatcher(max_queue_delay_microseconds=round(1e6 * order.seconds)),
            ),
            strict=False,
        )
        triton.serve()
