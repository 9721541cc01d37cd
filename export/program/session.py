"""A program, loaded: what ``Session`` is to an ONNX graph."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.export.passes import move_to_device_pass

from strop.errors import InputError

from . import attention as attention  # a program names the operator that is defined there

IntArray = NDArray[np.int64]


class TorchSession:
    """A program that turns a batch into logits; ``run`` may be called from any thread."""

    def __init__(self, program: Path, *, device: str | None = None, threads: int = 1) -> None:
        """Load ``program`` on a device, as torch calls it; by default on the card, where there is one.

        A batch on a CPU is computed by ``threads`` threads. ``InputError`` for a file that this torch
        can't read.
        """
        try:
            loaded = torch.export.load(program)
        except Exception as error:  # what another torch's format trips over has no type of its own
            raise InputError(
                f"{program} can't be read by torch {torch.__version__}: {' '.join(str(error).split())};"
                " export the run again with this version"
            ) from error
        self.device = _indexed(torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")))
        if self.device.type != "cpu":
            loaded = move_to_device_pass(loaded, str(self.device))
        self.module: nn.Module = loaded.module(check_guards=False)
        """What computes: it takes ``inputs`` and, as an int, ``max_length``."""
        self.inputs = tuple(name for name in loaded.graph_signature.user_inputs if name != "max_length")
        """The names of the feeds that it reads."""
        self.provider = f"torch-{self.device.type}"
        (answer,) = loaded.graph_signature.user_outputs
        self.width: int = next(n for n in loaded.graph.nodes if n.name == answer).meta["val"].shape[-1]
        """Outputs for each input or token."""
        self._threads = threads

    def run(self, feeds: Mapping[str, IntArray]) -> NDArray[np.float32]:
        """Logits [n, outputs] or [1, t, outputs] for ``PackedLayout.tokens``, or its feeds."""
        tensors = {name: as_tensor(name, feeds[name]).to(self.device) for name in self.inputs}
        longest = int(np.diff(feeds["cu_seqlens"]).max())
        with _on_threads(self._threads), torch.inference_mode():
            return self.compute(tensors, longest).cpu().numpy()

    def compute(self, tensors: Mapping[str, Tensor], max_length: int) -> Tensor:
        """Logits in fp32, on the device, for tensors that are there."""
        logits: Tensor = self.module(**tensors, max_length=max_length)
        return logits.float()


def as_tensor(name: str, array: IntArray) -> Tensor:
    """A feed as a program reads it: attention wants its lengths in 32 bits."""
    return torch.from_numpy(array.astype(np.int32) if name == "cu_seqlens" else array)


def _indexed(device: torch.device) -> torch.device:
    """Of several cards, which one: programs compare devices by that, too."""
    return torch.device("cuda", torch.cuda.current_device()) if str(device) == "cuda" else device


@contextmanager
def _on_threads(threads: int) -> Iterator[None]:
    """Compute on so many threads, whatever else this thread does in torch."""
    before = torch.get_num_threads()
    if before == threads:
        yield
        return
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)
