"""The architecture, pinned: who may import whom, and what serving must not load."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STAGES = ("train", "export", "serve", "proto", "bench")
SEAMS = {
    "train": (),
    "export": ("strop.train",),
    # A program of torch's names the operator that it attends with, so its engine loads it from there.
    "serve": (
        "strop.export.bundle",
        "strop.export.program.session",
        "strop.export.providers",
        "strop.export.tensorrt",
        "strop.proto",
    ),
    "proto": ("strop.proto",),  # the generated stubs name each other in full
    # Some benchmarks need what stands behind a server: bundle and engines in-process, and the run. Fuzzing
    # calls the handlers themselves, a million times.
    "bench": (
        "strop.proto",
        "strop.export.bundle",
        "strop.export.providers",
        "strop.serve.config",
        "strop.serve.engines",
        "strop.serve.inprocess",
        "strop.serve.repository.routes",
        "strop.train.run",
    ),
}
# What every stage may use.
FOUNDATION = (
    "strop.__version__",
    "strop.access",
    "strop.cgroup",
    "strop.cost",
    "strop.environment",
    "strop.errors",
    "strop.feedback",
    "strop.host",
    "strop.kernel",
    "strop.lazy",
    "strop.nvml",
    "strop.options",
    "strop.redaction",
    "strop.staging",
    "strop.style",
    "strop.tasks",
)


def imported(path):
    """Absolute module names that a file imports, wherever in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_imports_only_through_its_seams(stage):
    allowed = SEAMS[stage] + FOUNDATION
    for path in (ROOT / stage).rglob("*.py"):
        for module in imported(path):
            if module.startswith("strop."):
                assert module.startswith(allowed), f"{path.name} imports {module}"


@pytest.mark.parametrize("stage", STAGES)
def test_no_file_imports_a_stage_bare(stage):
    for path in ROOT.glob("[!.]*/**/*.py"):
        names = {module.partition(".")[0] for module in imported(path)}
        assert stage not in names, f"{path} imports {stage} instead of strop.{stage}"


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_is_a_relative_symlink_under_strop(stage):
    assert (ROOT / "strop" / stage).readlink() == Path("..") / stage


@pytest.mark.parametrize(
    "stage", ["serve", "bench", "proto", "export.bundle", "export.inspect", "export.tensorrt"]
)
def test_a_box_that_serves_or_measures_loads_no_torch(stage):
    script = f"""
import importlib, pkgutil, sys
package = importlib.import_module("strop.{stage}")
for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
    importlib.import_module(module.name)
print(*sorted({{"torch", "transformers", "peft", "sklearn", "matplotlib"}} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_the_supervisor_of_the_workers_loads_neither_grpc_nor_the_engines():
    script = """
import sys
import strop.serve.process.supervisor
print(*sorted({"grpc", "onnxruntime"} & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
