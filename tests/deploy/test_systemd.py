"""The systemd unit, judged by systemd's own tools where they are."""

import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from strop.serve.config import ServeConfig

# Of 10: systemd-analyze security calls up to 2 "safe"; the GPU's devices cost some of it.
EXPOSURE = {"strop.service": 15, "gpu": 25}

needs_systemd = pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine"
)


@pytest.fixture
def unit(deploy: Path, tmp_path: Path) -> Path:
    """The unit as it would be installed, with a program that is there."""
    text = (deploy / "systemd/strop.service").read_text(encoding="utf-8")
    assert "ExecStart=/opt/strop/bin/strop serve" in text
    file = tmp_path / "strop.service"
    file.write_text(text.replace("/opt/strop/bin/strop", "/bin/true"), encoding="utf-8")
    return file


def analyze(*arguments: str | Path) -> str:
    done = subprocess.run(
        ["systemd-analyze", *arguments],
        capture_output=True,
        text=True,
        env={**os.environ, "SYSTEMD_LOG_LEVEL": "warning"},
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


@needs_systemd
@pytest.mark.parametrize("gpu", [False, True], ids=["cpu", "gpu"])
def test_the_unit_is_right_and_nearly_closed(deploy: Path, unit: Path, gpu: bool) -> None:
    if gpu:
        drop_in = unit.with_name("strop.service.d")
        drop_in.mkdir()
        shutil.copy(deploy / "systemd/gpu.conf", drop_in)
    told = analyze("verify", "--man=no", unit)
    assert not [line for line in told.splitlines() if "strop" in line or "gpu.conf" in line]
    threshold = EXPOSURE["gpu" if gpu else "strop.service"]
    analyze("security", "--offline=true", f"--threshold={threshold}", "--no-pager", unit)


def test_the_options_that_it_starts_with_are_options(deploy: Path) -> None:
    sections = tomllib.loads((deploy / "systemd/strop.toml").read_text(encoding="utf-8"))
    assert sections.keys() == {"serve"}
    config = ServeConfig(**sections["serve"])
    unit = (deploy / "systemd/strop.service").read_text(encoding="utf-8")
    (stop,) = [line for line in unit.splitlines() if line.startswith("TimeoutStopSec=")]
    assert int(stop.partition("=")[2]) > config.notice_seconds + config.grace_seconds
