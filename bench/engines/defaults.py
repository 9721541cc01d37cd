"""How much work fits a device: a GPU wants large batches, and enough texts to fill several."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Defaults:
    """What fits a kind of device, where the options don't say."""

    texts: int
    batch_tokens: tuple[int, ...]
    batch_texts: tuple[int, ...]


DEFAULTS: Mapping[Device, Defaults] = {
    "cpu": Defaults(512, (128, 192, 256, 384, 768), (1, 4, 8, 16, 32)),
    "cuda": Defaults(8192, (1024, 2048, 4096, 8192, 16384), (32, 64, 128, 256, 512)),
}


def device_of(provider: str) -> Device:
    """The kind of device that a provider runs on, by its name."""
    return "cpu" if "cpu" in provider.lower() else "cuda"
