"""Environments for clients whose pins don't go with ours: made once with pip, kept in Strop's cache."""

import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from strop.environment import Environment
from strop.errors import StropError


@pytest.fixture(scope="session")
def environment() -> Callable[..., Environment]:
    """Gives an environment with pinned requirements, made; skips where pip can't make it."""

    def make(*requirements: str) -> Environment:
        key = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
        made = Environment(str(Path("environments", key)), (requirements,))
        try:
            made.make()
        except StropError as error:
            pytest.skip(str(error))
        return made

    return make
