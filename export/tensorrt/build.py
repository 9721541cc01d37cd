"""ONNX to a serialized engine, in this process. The graph decides every precision: casts and Q/DQ."""

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from strop.errors import StropError

from .cache import write_whole
from .library import RTX
from .messages import messages_of
from .profiles import Profile


def build(
    graph: Path,
    library: str,
    profiles: Sequence[Profile],
    compute_capability: str,
    progress: Callable[[float], None],
    timing_cache: Path,
    *,
    sparse: bool,
) -> memoryview:
    """Build an engine of ``graph`` with the module ``library``.

    Its first dimension is rows and its second, where it has one, tokens of a row. ``progress`` hears what
    part is done, from 0 to 1, on any thread. What kernels were timed at stays in ``timing_cache``, so
    that another engine of the same layers is built sooner; TensorRT-RTX times none at build. Zeros of 2:4
    ``sparse`` weights are skipped where kernels that do are quicker.

    Raises ``StropError`` with the library's own reason when it can't take the graph.
    """
    trt = import_module(library)
    messages = messages_of(trt)
    builder = trt.Builder(messages)
    network = builder.create_network(1 << int(trt.NetworkDefinitionCreationFlag.STRONGLY_TYPED))
    parser = trt.OnnxParser(network, messages)
    if not parser.parse_from_file(str(graph)):
        reasons = [str(parser.get_error(number)) for number in range(parser.num_errors)]
        raise StropError(f"{library} {trt.__version__} can't take {graph}: {'; '.join(reasons)}")
    config = configuration(trt, builder, sparse=sparse)
    config.progress_monitor = _monitor(trt, progress)
    for profile in profiles:
        config.add_optimization_profile(_optimization_profile(builder, network, profile))
    timings = None
    if library == RTX:
        config.num_compute_capabilities = 1
        wanted = f"SM{compute_capability.replace('.', '')}"
        config.set_compute_capability(getattr(trt.ComputeCapability, wanted), 0)
        # Else it might allocate while it computes, which no CUDA graph can hold.
        config.set_flag(trt.BuilderFlag.REQUIRE_USER_ALLOCATION)
    else:
        timings = _timings(config, timing_cache)
        messages.reasons()  # why timings were refused is none for a build that fails
    engine = builder.build_serialized_network(network, config)
    if engine is None:
        raise StropError(f"{library} {trt.__version__} can't build {graph}: {messages.reasons()}")
    if timings is not None:
        write_whole(timing_cache, memoryview(config.get_timing_cache().serialize()))
    return memoryview(engine)


def _timings(config: Any, path: Path) -> Any:
    """What the build is to reuse and add to, which must live as long as it: of earlier ones, or nothing.

    TensorRT refuses what another kind of card was timed at, even of the same compute capability.
    """
    for kept in [path.read_bytes(), b""] if path.is_file() else [b""]:
        timings = config.create_timing_cache(kept)
        if timings is not None and config.set_timing_cache(timings, ignore_mismatch=False):
            return timings
    return None


def configuration(trt: Any, builder: Any, *, sparse: bool) -> Any:
    """A builder's configuration with the flags that all engines have, and those of ``sparse`` weights."""
    config = builder.create_builder_config()
    # Else fp32 products are rounded to 10 bits on the way, and fp32 would not be the reference.
    config.clear_flag(trt.BuilderFlag.TF32)
    if sparse:
        config.set_flag(trt.BuilderFlag.SPARSE_WEIGHTS)
    return config


def _optimization_profile(builder: Any, network: Any, profile: Profile) -> Any:
    made = builder.create_optimization_profile()
    for tensor in map(network.get_input, range(network.num_inputs)):
        made.set_shape(tensor.name, *profile.shapes(len(tensor.shape)))
    return made


def _monitor(trt: Any, progress: Callable[[float], None]) -> Any:
    """Tells how far a build is: every phase fills a step of the one that it lies in."""

    class Monitor(trt.IProgressMonitor):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.phases: dict[str, tuple[float, float]] = {}
            self.done = 0.0

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            begin, width = self.phases.get(parent, (0.0, 1.0)) if parent else (0.0, 1.0)
            self.phases[name] = (begin, width / steps)

        def step_complete(self, name: str, step: int) -> bool:
            begin, width = self.phases[name]
            self.phases[name] = (begin + width, width)
            # Phases may be visited again, and no one wants to see that.
            if begin + width > self.done:
                self.done = min(begin + width, 1.0)
                progress(self.done)
            return True

        def phase_finish(self, name: str) -> None:
            self.phases.pop(name, None)

    return Monitor()
