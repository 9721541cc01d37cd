"""The most that this device's matrix products give, measured: what no model can pass."""

import time
from collections.abc import Mapping

import torch

from .defaults import Device

PRECISIONS = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}
# Rows and columns: large enough to fill the device, small enough for a round.
SIDE: Mapping[Device, int] = {"cpu": 512, "cuda": 8192}


class MatrixPeak:
    """Products of two square matrices in one precision."""

    def __init__(self, precision: str, device: Device) -> None:
        side = SIDE[device]
        self._device = device
        random = torch.Generator(device).manual_seed(0)
        shape, dtype = (side, side), PRECISIONS[precision]
        self._factors = [torch.randn(shape, generator=random, device=device).to(dtype) for _ in range(2)]
        self._product = torch.empty(shape, dtype=dtype, device=device)
        self._flops = 2 * side**3

    def rate(self, seconds: float) -> float:
        """Operations per second over at least so many seconds."""
        self._wait()
        done, started = 0, time.perf_counter()
        while (took := time.perf_counter() - started) < seconds or not done:
            torch.mm(*self._factors, out=self._product)
            self._wait()
            done += 1
        return done * self._flops / took

    def _wait(self) -> None:
        if self._device == "cuda":
            torch.cuda.synchronize(self._device)
