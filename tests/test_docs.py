"""What the documents name is there: links, commands, targets, modules, options."""

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from cyclopts import App

from strop.cli import COMMANDS, app

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
OTHERS = ("pip", "docker", "helm", "openssl", "systemctl", "tensorboard", "test-gpu")
"""Lines of tools whose options are not ours."""
DOCKERS = {"--cpus", "--cpuset-cpus"}


def options(command: App) -> Iterator[str]:
    """Every long option of a command and of those below it."""
    if command.default_command is not None:
        for argument in command.assemble_argument_collection():
            yield from argument.names
    for name in command:
        if not name.startswith("-"):
            yield from options(command[name])


def quoted(text: str) -> Iterator[str]:
    """What stands between backticks, blocks and phrases."""
    fence = re.compile(r"^```\w*\n(.*?)^```", re.DOTALL | re.MULTILINE)
    yield from fence.findall(text)
    yield from re.findall(r"`([^`]+)`", fence.sub("", text))


@pytest.fixture(scope="module")
def known() -> set[str]:
    return {"--help", "--version", "--config", *options(app)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path):
    targets = re.findall(r"\]\(([^)#\s]+)", page.read_text(encoding="utf-8"))
    missing = [to for to in targets if "://" not in to and not (page.parent / to).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_targets_and_modules_are_there(page: Path):
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    code = "\n".join(quoted(page.read_text(encoding="utf-8")))
    commands = set(re.findall(r"(?:^|bin/|\s)strop ([a-z][a-z-]*)", code, re.MULTILINE))
    assert commands <= {*COMMANDS}
    targets = {target for line in re.findall(r"\bmake ((?:[a-z-]+ ?)+)", code) for target in line.split()}
    assert targets <= {*re.findall(r"^([a-z-]+):", makefile, re.MULTILINE), *COMMANDS}
    modules = set(re.findall(r"-m (strop[\w.]+)", code))
    assert all(importlib.util.find_spec(module) for module in modules)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_options_are_those_of_a_command(page: Path, known: set[str]):
    lines = page.read_text(encoding="utf-8").replace("\\\n", " ").splitlines()
    ours = [line for line in lines if not re.search(rf"\b({'|'.join(OTHERS)})\b", line)]
    named = {option for line in ours for option in re.findall(r"(?<![\w-])--[a-z][a-z-]*[a-z]", line)}
    assert named - DOCKERS <= known
