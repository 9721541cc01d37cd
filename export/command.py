"""``strop export``: a run to a bundle of measured variants."""

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.progress import Progress as Bars

from strop.errors import InputError, StropError
from strop.host import share_cores
from strop.train.adapter import is_adapter

from .config import ExportConfig
from .trained import further_adapters, open_run, require_lessons


def export(config: ExportConfig) -> None:
    """Turn a run into a bundle: merge, write ONNX, compress, measure, ship what passes the gate."""
    # All of it is said before torch is loaded, and again by what reads and what writes.
    if config.bundle_path.exists():
        raise InputError(f"--out {config.bundle_path} exists; name another folder or remove it")
    if not is_adapter(config.run):
        run = open_run(config)
        further_adapters(config, run)
        require_lessons(config, run)
    capability = None
    if config.tensorrt:
        from .tensorrt import find, require_target

        capability = require_target(find(), config.compute_capability)
    share_cores()
    # Not at the top: the options' help must not wait for torch.
    from .build import build

    console = Console()
    with _Watcher(console) as watcher:
        report = build(config, watcher)
    console.print(report.table())
    for candidate in report.candidates:
        if not candidate.verdict.passed:
            console.print(f"{candidate}; it is not in the bundle", style="yellow", soft_wrap=True)
    if report.caveat:
        console.print(f"warning: {report.caveat}", style="yellow", soft_wrap=True)
    console.print(f"bundle: {config.bundle_path}", soft_wrap=True)
    if capability is not None:
        _build_engines(config, capability, console)
    console.print(f"next:   strop serve {config.bundle_path}", soft_wrap=True)


def _build_engines(config: ExportConfig, capability: str, console: Console) -> None:
    """Build the bundle's TensorRT engines; ``StropError`` when one can't be, after all were tried."""
    from .bundle import Bundle
    from .tensorrt import EngineCache, build_ahead, default_folder, find

    cache = EngineCache(config.engine_cache or default_folder())
    with _Watcher(console) as watcher:
        begun: set[str] = set()

        def progress(variant: str, part: float) -> None:
            if variant not in begun:
                begun.add(variant)
                watcher.step(f"building the TensorRT engine of {variant}")
            watcher.advanced(round(100 * part), 100)

        bundle, tokens = Bundle.open(config.bundle_path), config.engine_tokens
        engines, failures = build_ahead(bundle, find(), capability, cache, tokens, progress)
    for engine in engines:
        console.print(
            f"engine: {engine.key.variant} for compute capability {capability}, built in"
            f" {engine.seconds:.1f} s, {engine.entry.bytes / 1e6:.1f} MB: {engine.path}",
            soft_wrap=True,
        )
    if failures:
        raise StropError("; ".join(f"no engine of {name}: {error}" for name, error in failures.items()))


class _Watcher:
    """Shows a build's steps as they finish, with a bar where one is long."""

    def __init__(self, console: Console) -> None:
        self._bars = Bars(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            console=console,
        )

    def __enter__(self) -> "_Watcher":
        self._bars.start()
        return self

    def __exit__(self, failure: object, *_: object) -> None:
        if failure is None:
            self._finish()
        self._bars.stop()

    def step(self, name: str) -> None:
        """A named step begins; the one before it is done."""
        self._finish()
        self._bars.add_task(name, total=1)

    def _finish(self) -> None:
        for task in self._bars.tasks:
            self._bars.update(task.id, completed=task.total)

    def advanced(self, done: int, total: int) -> None:
        """Move the newest step's bar."""
        self._bars.update(self._bars.task_ids[-1], completed=done, total=total)
