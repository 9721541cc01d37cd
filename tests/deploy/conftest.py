"""What is deployed, and what it starts the server with."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from strop.cli import app
from strop.serve.config import ServeConfig

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The sources."""
    return ROOT


@pytest.fixture(scope="session")
def deploy() -> Path:
    return ROOT / "deploy"


@pytest.fixture(scope="session")
def manifest(deploy: Path) -> Callable[[str], Any]:
    """Reads a YAML file below ``deploy`` that holds one document."""
    return lambda path: yaml.safe_load((deploy / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def serve_config() -> Callable[[Sequence[str]], ServeConfig]:
    """The options that a command line would start the server with, as the command line itself reads it."""

    def read(arguments: Sequence[str]) -> ServeConfig:
        assert arguments[0] == "serve"
        _, bound, _ = app.parse_args(list(arguments), exit_on_error=False, print_error=False)
        config: ServeConfig = bound.arguments["config"]
        return config

    return read
