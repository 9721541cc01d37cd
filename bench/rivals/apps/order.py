"""What a rival's app is told: which model, where to listen, how to batch."""

import json
import os
from dataclasses import dataclass
from typing import Self

VARIABLE = "STROP_RIVAL"
"""Of the environment, which reaches the app's own workers as well."""


@dataclass(frozen=True)
class Order:
    """See ``Batching`` and ``Material``."""

    bundle: str
    variant: str
    model: str
    folder: str
    port: int
    texts: int
    seconds: float
    workers: int
    threads: int
    instances: int

    @classmethod
    def read(cls) -> Self:
        """The order of this process."""
        return cls(**json.loads(os.environ[VARIABLE]))
