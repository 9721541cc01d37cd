"""What training took: parameters, time, memory."""

import resource
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import nn

from .speed import TrainingSpeed


@dataclass(frozen=True)
class TrainingCost:
    """What training took, for a table of methods."""

    trained_parameters: int
    total_parameters: int
    """Those of the model and of what was added to it."""
    seconds: float
    """Of training and the evaluations in it; since the last --resume."""
    peak_memory_bytes: int
    """The most that torch held on the GPU, or on a CPU that the whole process held (RSS)."""
    speed: TrainingSpeed | None
    """None of a training of a few steps, which says nothing."""

    @classmethod
    def of(cls, model: nn.Module, seconds: float, speed: TrainingSpeed | None) -> Self:
        """Count and measure, right after the training."""
        trained, total = count_parameters(model)
        return cls(
            trained_parameters=trained,
            total_parameters=total,
            seconds=round(seconds, 1),
            peak_memory_bytes=peak_memory(),
            speed=speed,
        )

    @classmethod
    def read(cls, fields: Mapping[str, Any]) -> Self:
        """One that ``asdict`` took apart."""
        speed = fields["speed"]
        return cls(**{**fields, "speed": None if speed is None else TrainingSpeed(**speed)})

    def __str__(self) -> str:
        share = self.trained_parameters / self.total_parameters
        return (
            f"{self.trained_parameters:,} of {self.total_parameters:,} parameters ({share:.2%}) trained in"
            f" {self.seconds:,.1f} s; peak memory {self.peak_memory_bytes / 1e6:,.0f} MB"
            + (f"; {self.speed}" if self.speed else "")
        )


def count_parameters(model: nn.Module) -> tuple[int, int]:
    """The numbers of trained and of all parameters."""
    sizes = [(parameter.numel(), parameter.requires_grad) for parameter in model.parameters()]
    return sum(size for size, trained in sizes if trained), sum(size for size, _ in sizes)


def peak_memory() -> int:
    """Bytes: the most that torch held on the GPU so far, or the process in memory."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
