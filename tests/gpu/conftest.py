"""What needs a card: skipped with the reason where there is none, and written down where that is asked.

``make test-gpu`` runs it with whatever Python and packages are there; see ``pytest.ini``.
"""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).parent
sys.path.append(str(HERE))  # for the modules beside this file, and for the processes that it starts

from results import Figure, Recorder  # noqa: E402
from stand_ins import without_cyclopts  # noqa: E402

without_cyclopts()

from strop.nvml import any_gpu  # noqa: E402

Record = Callable[..., None]
RECORDER = "strop-gpu-results"
BUDGET_SECONDS = 420.0
"""After so long no further test is begun, so that a run takes less than eight minutes."""
FOLDER = os.environ.get("STROP_GPU_RESULTS")
"""Where the record of the run goes; none is written without it."""


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


def pytest_configure(config: pytest.Config) -> None:
    if FOLDER:
        config.pluginmanager.register(Recorder(Path(FOLDER), device_name()), RECORDER)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    ours = [item for item in items if HERE in item.path.parents]
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


@pytest.fixture
def figure(request: pytest.FixtureRequest) -> Record:
    """Notes a measured number: its name, value, unit, and ``at_least`` where it has a target."""
    recorder = request.config.pluginmanager.get_plugin(RECORDER)

    def note(name: str, value: float, unit: str = "", at_least: float | None = None) -> None:
        if recorder:
            found = Figure(request.node.nodeid, name, float(value), unit, at_least)
            recorder.results.figures.append(found)

    return note
