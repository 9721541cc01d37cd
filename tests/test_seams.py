"""The architecture, pinned: who may import whom, and what serving must not load."""

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import TopologicalSorter
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
    "strop.markdown",
    "strop.matrix_product",
    "strop.nvml",
    "strop.options",
    "strop.redaction",
    "strop.staging",
    "strop.style",
    "strop.tasks",
)
# What a folder knows nothing of, so that it can be read, tested and exchanged without it.
APART = {
    "strop.tasks": ("strop.export", "strop.train", "strop.serve", "strop.bench", "torch", "tokenizers"),
    "strop.export.bundle": ("strop.train", "strop.export.precision", "strop.export.shapes", "onnx"),
    "strop.serve.scheduling": (
        "grpc",
        "strop.proto",
        "strop.serve.engines",
        "strop.serve.inference",
        "strop.serve.wire",
    ),
    "strop.serve.engines": ("grpc", "strop.proto", "strop.serve.scheduling", "strop.serve.inference"),
    "strop.serve.inference": ("grpc", "strop.proto", "strop.serve.repository", "strop.serve.wire"),
    "strop.serve.repository": ("grpc", "strop.proto", "strop.serve.wire", "strop.serve.doors"),
    "strop.serve.wire": ("onnxruntime", "strop.serve.engines", "strop.serve.scheduling"),
}


def modules() -> dict[str, Path]:
    """Every file of Strop by the name that it is imported by."""
    files = {path: path.relative_to(ROOT) for stage in STAGES for path in (ROOT / stage).rglob("*.py")}
    own = {path: path.relative_to(ROOT / "strop") for path in (ROOT / "strop").rglob("*.py")}
    own = {path: name for path, name in own.items() if name.parts[0] not in STAGES}
    return {
        ".".join(("strop", *name.with_suffix("").parts)).removesuffix(".__init__"): path
        for path, name in (files | own).items()
    }


def imported(path: Path, module: str = "", *, typing: bool = True) -> Iterator[str]:
    """Absolute names that a file imports, wherever in it; of relative ones those of a ``module`` whose
    file it is. Without ``typing``, not what only type checkers import.
    """
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    pending: list[ast.AST] = [ast.parse(path.read_text(encoding="utf-8"))]
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and (module or not node.level):
            parents = package.split(".")[: len(package.split(".")) - node.level + 1] if node.level else []
            origin = ".".join([*parents, *([node.module] if node.module else [])])
            yield from (f"{origin}.{name.name}" for name in node.names)
        elif typing or not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            pending += ast.iter_child_nodes(node)


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


@pytest.mark.parametrize("folder", APART)
def test_a_folder_knows_nothing_of_what_it_is_kept_apart_from(folder: str) -> None:
    for module, path in modules().items():
        if f"{module}.".startswith(f"{folder}."):
            for name in imported(path, module):
                assert not f"{name}.".startswith(tuple(f"{one}." for one in APART[folder])), (
                    f"{module} imports {name}"
                )


def test_no_two_modules_need_each_other() -> None:
    known = modules()
    # From a package comes its module of that name, or what its own file defines.
    needs = {
        module: {name if name in known else name.rpartition(".")[0] for name in names} & known.keys()
        for module, names in (
            (module, set(imported(path, module, typing=False))) for module, path in known.items()
        )
    }
    TopologicalSorter(needs).prepare()  # CycleError names the circle


def test_no_private_name_is_imported() -> None:
    for module, path in modules().items():
        for name in imported(path, module):
            last = name.rpartition(".")[2]
            private = name.startswith("strop.") and last.startswith("_") and not last.endswith("__")
            assert not private, f"{module} imports {name}"


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
