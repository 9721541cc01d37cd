"""How quickly a device multiplies matrices: what no model on it can pass."""

import time
from collections.abc import Iterator

import torch

SIDES = {"cuda": 8192, "cpu": 512}
"""Rows and columns: large enough to be bound by arithmetic, small enough to take a fraction of a second."""


class MatrixProduct:
    """The product of two large square matrices.

    A data sheet says more: this is what library, clock and power limit of a machine leave of it.
    """

    def __init__(self, dtype: torch.dtype, device: torch.device | str) -> None:
        """The matrices lie on the device."""
        self._device = torch.device(device)
        side = SIDES[self._device.type]
        random = torch.Generator(self._device).manual_seed(0)
        self._factors = [
            torch.randn((side, side), generator=random, device=self._device).to(dtype) for _ in range(2)
        ]
        self._product = torch.mm(*self._factors)  # loads the library, too
        self._flops = 2 * side**3

    def rate(self, seconds: float) -> float:
        """Floating point operations a second, over at least so many seconds."""
        times = list(self._times(seconds))
        return self._flops * len(times) / sum(times)

    def best_rate(self, seconds: float) -> float:
        """Those of the quickest product in so many seconds."""
        return self._flops / min(self._times(seconds))

    def _times(self, seconds: float) -> Iterator[float]:
        """Of each product, one at least."""
        began = ended = self._now()
        while ended == began or ended - began < seconds:
            started = ended
            torch.mm(*self._factors, out=self._product)
            ended = self._now()
            yield ended - started

    def _now(self) -> float:
        """When all that was asked of the device is done."""
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.perf_counter()
