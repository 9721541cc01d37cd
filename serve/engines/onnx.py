"""ONNX Runtime as an engine."""

from collections.abc import Sequence

from strop.export.bundle import Bundle, Layout, Session, Variant, told
from strop.tasks import Outputs, Task

from ..core import IntArray
from .options import EngineOptions


class OnnxEngine:
    """One ONNX Runtime session that takes its batches in one layout; any thread may use it."""

    def __init__(self, session: Session, layout: Layout, task: Task) -> None:
        self._session = session
        self._task = task
        self.layout = layout
        self.provider = session.provider
        self.width = session.width

    def run(self, sequences: Sequence[IntArray]) -> Outputs:
        """The outputs for n sequences of tokens, as far as they are told."""
        return told(self._session, self.layout, self._task, sequences)

    def close(self) -> None:
        """Give its memory back; nothing may run on it any more."""
        self._session.close()


def open_on_cpu(
    bundle: Bundle, variant: Variant, options: EngineOptions, batch_tokens: int
) -> Sequence[OnnxEngine]:
    """One engine for all instances, by ONNX Runtime's own kernels; ``StropError`` if it can't be loaded.

    It may run on many threads at once, and a second one was not faster on two cores but took the
    weights' memory again.
    """
    session = Session(bundle.model_file(variant), threads=options.threads)
    layout = variant.layout.padded() if options.layout == "padded" else variant.layout
    return [OnnxEngine(session, layout, bundle.task)] * options.instance_count
