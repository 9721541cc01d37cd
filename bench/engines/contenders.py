"""The contenders: padded PyTorch, and every engine that runs a variant of the bundle here."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from transformers import PreTrainedModel

from strop.errors import StropError
from strop.export.bundle import Bundle, Variant
from strop.export.bundle.layout import IntArray
from strop.export.providers import TORCH
from strop.serve.config import ServeConfig
from strop.serve.engines.backends import BACKENDS, Backend
from strop.serve.engines.engine import Engine
from strop.serve.engines.instances import Instances
from strop.serve.engines.opening import open_engines
from strop.serve.engines.options import Provider

from .defaults import Device, device_of

EAGER = "PyTorch eager, padded"
Batch = Sequence[IntArray]


@dataclass
class Contender:
    """A way to compute the texts; ``size`` is what its batches are cut by."""

    name: str
    runs_on: str
    """The provider that it really runs on."""
    unit: str
    """What a batch's size counts."""
    cut: Callable[[int], Sequence[Batch]]
    """All texts in batches of a size."""
    compute: Callable[[Batch], object]
    """A batch from token ids to outputs in this process's memory."""
    batches: Sequence[Batch] = field(default_factory=tuple)
    """Those of the best size."""
    size: int = 0

    @property
    def lengths(self) -> list[int]:
        """Tokens of each text."""
        return [len(sequence) for batch in self.batches for sequence in batch]

    def choose(self, sizes: Sequence[int]) -> None:
        """Take the batches of the best of the sizes: each computes all texts once, after a warm-up."""
        cuts = {size: self.cut(size) for size in sizes}
        for batches in cuts.values():
            self.compute(max(batches, key=_tokens))
        self.size = max(cuts, key=lambda size: 1 / sum(self._seconds(cuts[size])))
        self.batches = cuts[self.size]

    def measure(self, seconds: float) -> tuple[float, NDArray[np.float64]]:
        """Tokens per second, padding not counted, and the seconds of each batch, over at least so many."""
        took: list[float] = []
        while sum(took) < seconds:
            took += self._seconds(self.batches)
        passes = len(took) // len(self.batches)
        return passes * sum(map(_tokens, self.batches)) / sum(took), np.array(took)

    def _seconds(self, batches: Sequence[Batch]) -> list[float]:
        took = []
        for batch in batches:
            started = time.perf_counter()
            self.compute(batch)
            took.append(time.perf_counter() - started)
        return took


def eager(model: PreTrainedModel, device: Device, pad: int, sequences: Batch) -> Contender:
    """The model as transformers computes it: half precision on a card, a rectangle as long as its
    longest text, and the texts as they come.
    """
    dtype = torch.float16 if device == "cuda" else torch.float32
    cast(nn.Module, model).to(device, dtype)
    try:
        model.set_attn_implementation("sdpa")  # as from_pretrained would have chosen
    except ValueError:
        model.set_attn_implementation("eager")

    @torch.inference_mode()
    def compute(batch: Batch) -> object:
        inputs = {
            name: torch.from_numpy(array).to(device) for name, array in _rectangle(batch, pad).items()
        }
        return model(**inputs)[0].cpu()

    def cut(size: int) -> Sequence[Batch]:
        return [sequences[start : start + size] for start in range(0, len(sequences), size)]

    return Contender(EAGER, f"torch-{device}, {dtype}", "texts", cut, compute)


def engines(
    bundle: Bundle, names: Sequence[str], texts: Mapping[Device, Batch], threads: int
) -> Iterator[tuple[str, Contender | StropError]]:
    """Each variant on each provider that it was made for, by both names, or why there is none here.

    fp32 runs on every provider. ``texts`` are those for engines on each kind of device, as token ids.
    """
    for variant in [bundle.variant(name) for name in names] or bundle.manifest.variants:
        backends = [one for one in BACKENDS.values() if _runs(one, variant, bundle)]
        if not backends:
            yield variant.name, StropError(f"it was made for {variant.provider}, which is no --provider")
        for backend in backends:
            name = f"{variant.name} on {backend.name}"
            try:
                engine = _open(bundle, variant, backend, threads)
            except StropError as error:
                yield name, error
            else:
                yield name, _contender(name, engine, texts[device_of(engine.provider)])


def _runs(backend: Backend, variant: Variant, bundle: Bundle) -> bool:
    """Whether it is worth trying: a graph in fp32 runs on whatever the machine has, all others where
    they were made for.
    """
    if variant.provider in backend.made_for:
        return True
    return (
        variant == bundle.reference
        and TORCH not in (variant.provider, *backend.made_for)
        and backend.seen()
    )


def _open(bundle: Bundle, variant: Variant, backend: Backend, threads: int) -> Engine:
    """One engine of a provider's own, in place of what would serve until it is there."""
    config = ServeConfig(
        str(bundle.root),
        variant=variant.name,
        provider=cast(Provider, backend.name),
        require_provider=True,
        instances=1,
        threads=threads,
    )
    opened = open_engines(bundle, config)
    instances = Instances(opened.engines)
    if (upgrade := opened.upgrade(instances)) is not None:
        upgrade.require()
    with instances.engine(0) as engine:
        return engine


def _contender(name: str, engine: Engine, sequences: Batch) -> Contender:
    def cut(size: int) -> Sequence[Batch]:
        return list(engine.layout.batches(sequences, size))

    return Contender(name, engine.provider, "tokens", cut, engine.run)


def _tokens(batch: Batch) -> int:
    return sum(map(len, batch))


def _rectangle(batch: Batch, pad: int) -> dict[str, IntArray]:
    """``input_ids``, ``attention_mask`` and, of pairs told apart, ``token_type_ids`` [n, longest]."""
    longest = max(map(len, batch))
    real = np.arange(longest) < np.array([len(one) for one in batch])[:, np.newaxis]
    columns = np.concatenate([one.reshape(len(one), -1) for one in batch]).T
    filled = {"input_ids": np.full(real.shape, pad), "token_type_ids": np.zeros(real.shape, dtype=np.int64)}
    found = {"attention_mask": real.astype(np.int64)}
    for (name, array), column in zip(filled.items(), columns, strict=False):
        array[real] = column
        found[name] = array
    return found
