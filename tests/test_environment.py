"""Environments of their own: whole or not ready, and a failure says why."""

from dataclasses import replace
from pathlib import Path

import pytest

from strop.environment import Environment
from strop.errors import StropError


def test_an_environment_is_ready_once_everything_is_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STROP_CACHE", str(tmp_path))
    environment = Environment("tool", installs=((str(tmp_path / "nowhere"),),))
    with pytest.raises(StropError, match=r"the environment of tool could not be made: .*nowhere"):
        environment.make()
    assert environment.python.exists()
    assert not environment.ready
    empty = replace(environment, installs=())
    empty.make()
    assert empty.ready
    assert not replace(empty, constraints="numpy==1.0\n").ready
