"""One variant, opened: in ONNX Runtime, or in torch where it is torch's."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from strop.errors import StropError
from strop.tasks import Floats, Outputs, Task

from ..providers import CPU
from .graph import require_whole
from .halves import computed_in_fp32
from .layout import IntArray, Layout
from .programs import PROGRAM_SUFFIX, needing_torch

# At 1.31 the fused operator takes several times as long on a CPU core as the two that it replaces:
# int8 MiniLM-L6 spent a fifth of its time there.
SLOW_ON_CPU = ("SkipLayerNormFusion",)
# It gives 8-bit floats to a Reshape that can't take them, and won int8 nothing.
FAILING = ("QDQPropagationTransformer",)


class Runner(Protocol):
    """A loaded variant that turns a batch into logits; ``run`` may be called from any thread."""

    @property
    def provider(self) -> str:
        """What it really runs on."""
        ...

    @property
    def width(self) -> int:
        """Outputs for each input or token."""
        ...

    def run(self, feeds: Mapping[str, IntArray]) -> Floats:
        """Logits for the feeds that the variant's layout makes: of shape [n, outputs] or, of a model
        with an output for each token, [b, t, outputs].
        """
        ...


def open_runner(model: Path, *, provider: str = CPU, threads: int = 1) -> Runner:
    """Load a variant's file, whatever kind it is, to compute one batch on ``threads`` threads.

    Raises ``StropError`` when it would run on another provider than asked, ``InputError`` for torch's
    where torch isn't installed.
    """
    if model.suffix != PROGRAM_SUFFIX:
        return Session(model, provider=provider, threads=threads)
    with needing_torch(model):
        from ..program.session import TorchSession
    return TorchSession(model, device="cpu" if provider == CPU else None, threads=threads)


class Session:
    """An ONNX graph, loaded; see ``Runner``."""

    def __init__(
        self,
        model: Path,
        *,
        provider: str = CPU,
        provider_options: Mapping[str, str] | None = None,
        threads: int = 1,
    ) -> None:
        """Load ``model`` on ``provider`` with ``threads`` intra-op threads.

        Raises ``InputError`` when the file isn't a graph with all its data, ``StropError`` when ONNX
        Runtime can't, or would run it on another provider than asked.
        """
        require_whole(model)
        in_fp32 = computed_in_fp32(model) if provider == CPU else None
        options = ort.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        # Spinning burns a core at low load and slows every other session on a small box.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self._session = ort.InferenceSession(
                in_fp32 or str(model),
                options,
                providers=[(provider, dict(provider_options or {}))],
                disabled_optimizers=[*FAILING, *(SLOW_ON_CPU if provider == CPU else ())],
                enable_fallback=0,  # else it prints, goes on with the CPU and says nothing more
            )
        except Exception as error:  # ONNX Runtime's own have no base but this
            raise StropError(
                f"{model} can't be opened on {provider}: {' '.join(str(error).split())}; serve another"
                " variant, or export the run again"
            ) from error
        self._inputs = [node.name for node in self._session.get_inputs()]
        *_, self.width = self._session.get_outputs()[0].shape
        """Outputs for each input or token."""
        self.provider: str = self._session.get_providers()[0]
        if self.provider != provider:
            raise StropError(
                f"{model.name} was to run on {provider} but ONNX Runtime chose {self.provider};"
                f" available here: {', '.join(ort.get_available_providers())}"
            )

    def run(self, feeds: Mapping[str, NDArray[np.int64]]) -> NDArray[np.float32]:
        """Logits for the feeds that the variant's layout makes, of which it reads its inputs."""
        (logits,) = self._session.run(["logits"], {name: feeds[name] for name in self._inputs})
        return np.asarray(logits, dtype=np.float32)

    def close(self) -> None:
        """Give its memory back; it can't be run any more."""
        del self._session


def outputs(session: Runner, layout: Layout, task: Task, sequences: Sequence[IntArray]) -> Outputs:
    """The task's output for each of n sequences, computed as one batch."""
    return by_input(task, layout, task.activate(session.run(layout.feeds(sequences))), sequences)


def told(session: Runner, layout: Layout, task: Task, sequences: Sequence[IntArray]) -> Outputs:
    """What a server keeps of them, and a bundle is checked by."""
    return task.told(outputs(session, layout, task, sequences))


def by_input(task: Task, layout: Layout, found: Floats, sequences: Sequence[IntArray]) -> Outputs:
    """What a graph found for n sequences together, for each of them as the task has it."""
    rows = layout.by_text(found, sequences)
    return [task.of_input(one) for one in rows] if task.per_token else rows
