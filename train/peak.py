"""How quickly this machine multiplies matrices: what a training is held against."""

import time
from functools import cache

import torch

from .device import Arithmetic, best_device, fp32_products

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16, "tf32": torch.float32, "fp32": torch.float32}
SIDES = {"cuda": 8192, "cpu": 1024}
"""Large enough to be bound by arithmetic, small enough to take a fraction of a second."""
ROUNDS = 5
SECONDS = 0.1
"""Of measuring, at least."""


@cache
def matrix_peak(numbers: Arithmetic, threads: int) -> float:
    """Floating point operations a second in the product of two large square matrices, the best of some.

    On the device that would be trained on, with ``threads`` threads of a CPU. A data sheet says more: this
    is what the library, the clock and the power limit of this machine leave of it.
    """
    device = best_device()
    side = SIDES[device.type]
    before = torch.get_num_threads()
    with torch.inference_mode(), fp32_products(numbers):
        torch.set_num_threads(threads)
        first, second = (torch.rand(side, side, device=device).to(DTYPES[numbers]) for _ in range(2))
        product = first @ second  # loads the library and takes the memory
        times: list[float] = []
        while len(times) < ROUNDS or sum(times) < SECONDS:
            _wait(device)
            started = time.perf_counter()
            torch.mm(first, second, out=product)
            _wait(device)
            times.append(time.perf_counter() - started)
        torch.set_num_threads(before)
    return 2.0 * side**3 / min(times)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize()
