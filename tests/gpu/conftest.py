"""What needs a card: skipped with the reason where there is none, and written down where that is asked.

``make test-gpu`` runs it with whatever Python and packages are there; see ``pytest.ini``. Everybody else,
``make test`` too, rehearses it: on the CPU, each test once and in tiny sizes, so that what is wrong with a
test or what it calls shows before there is a card.
"""

import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# For the modules beside this file and, behind all others, for what stands in for packages that a machine
# with a card may lack.
sys.path += [str(HERE), str(HERE / "stand_ins")]

from line import SHAPES, SPLITS, TINY, TINY_SPLITS, Line  # noqa: E402
from results import Figure, Recorder  # noqa: E402

from strop.nvml import any_gpu  # noqa: E402

Record = Callable[..., None]
RECORDER = "strop-gpu-results"
BUDGET_SECONDS = 420.0
"""After so long no further test is begun, so that a run takes less than eight minutes."""
FOLDER = os.environ.get("STROP_GPU_RESULTS")
"""Where the record of the run goes; none is written without it, or of a rehearsal."""
FIRST = ("test_torch_engine", "test_speed", "test_served", "test_training")
"""The modules with figures, should the time run out; whether the engine is right is asked before."""


def why_no_card() -> str | None:
    """Why nothing can run here; None where a card can be computed on."""
    if not any_gpu():
        return "this machine has no NVIDIA GPU (there is no /dev/nvidia0)"
    try:
        import torch
    except ImportError:
        return "torch is not installed"
    if not torch.cuda.is_available():
        built = f"built for CUDA {torch.version.cuda}" if torch.version.cuda else "built without CUDA"
        return f"torch {torch.__version__}, {built}, can't use the GPU"
    return None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rehearse", action="store_true", help="on the CPU, in tiny sizes: needs no card")


def pytest_configure(config: pytest.Config) -> None:
    if config.inipath != HERE / "pytest.ini":
        return
    # Processes that are started find what this one does, in the same order.
    os.environ["PYTHONPATH"] = os.pathsep.join(sys.path)
    # The stubs on the wire ask for the protobuf that they were made with; an older one reads them, too.
    os.environ.setdefault("TEMPORARILY_DISABLE_PROTOBUF_VERSION_CHECK", "true")
    if FOLDER and not rehearsed(config):
        config.pluginmanager.register(Recorder(Path(FOLDER), device_name()), RECORDER)


def rehearsed(config: pytest.Config) -> bool:
    """Whether it is a rehearsal: asked for, or part of another run than ``make test-gpu``."""
    return config.inipath != HERE / "pytest.ini" or bool(config.getoption("--rehearse"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
    if rehearsed(config):
        once = {(item.path, getattr(item, "originalname", item.name)): item for item in reversed(ours)}
        left_out = [item for item in ours if item not in once.values()]
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]
        return
    items.sort(key=lambda item: FIRST.index(item.path.stem) if item.path.stem in FIRST else len(FIRST))
    reason = why_no_card() if ours else None
    if reason is not None:
        for item in ours:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_runtest_setup(item: pytest.Item) -> None:
    recorder = item.config.pluginmanager.get_plugin(RECORDER)
    if recorder and recorder.results.seconds > BUDGET_SECONDS:
        pytest.skip(f"{BUDGET_SECONDS:.0f} s are spent; run this test alone")


def device_name() -> str:
    """What the results are of."""
    if why_no_card() is not None:
        return "no card"
    import torch

    return str(torch.cuda.get_device_name())


@pytest.fixture(scope="session")
def rehearsal(request: pytest.FixtureRequest) -> bool:
    """Whether it runs on the CPU in tiny sizes, where no figure means anything."""
    return rehearsed(request.config)


@pytest.fixture(scope="session")
def device(rehearsal: bool) -> str:
    """What is computed on, as torch calls it."""
    return "cpu" if rehearsal else "cuda"


@pytest.fixture
def card(rehearsal: bool) -> None:
    """Asked for by what only a card can show."""
    if rehearsal:
        pytest.skip("only a card shows it, and this is a rehearsal on the CPU")


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Record:
    """Notes a measured number: its name, value, unit, and its target where it has one, ``at_least`` or
    ``at_most``.
    """
    recorder = request.config.pluginmanager.get_plugin(RECORDER)

    def note(
        name: str,
        value: float,
        unit: str = "",
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        found = Figure(request.node.nodeid, name, float(value), unit, at_least, at_most)
        if recorder:
            recorder.results.figures.append(found)

    return note


@pytest.fixture(scope="session")
def lines(tmp_path_factory: pytest.TempPathFactory, rehearsal: bool) -> Callable[[str], Line]:
    """From texts to a bundle, once for each encoder that is named; for all a tiny one in a rehearsal."""
    for package in ("transformers", "peft", "accelerate", "tokenizers", "rich"):
        pytest.importorskip(package)

    @cache
    def line(name: str) -> Line:
        folder = tmp_path_factory.mktemp(name)
        if rehearsal:
            return Line.of(folder, TINY, TINY_SPLITS, ())
        return Line.of(folder, SHAPES[name], SPLITS, ("torch-fp16", "torch-bf16"))

    return (lambda name: line("tiny")) if rehearsal else line
