"""Options of a training that takes seconds."""

from pathlib import Path

import pytest

from strop.train.config import TrainConfig


@pytest.fixture
def config(tmp_path: Path, tiny_encoder: Path, tiny_data: Path) -> TrainConfig:
    """One epoch on the tiny data, into a folder that isn't there yet."""
    return TrainConfig(
        tiny_data,
        model=str(tiny_encoder),
        out=tmp_path / "run",
        epochs=1,
        batch_size=8,
        max_tokens=32,
        threads=1,
    )
