"""The state of all workers, from the files that they keep in the folder of their counts."""

import contextlib
from pathlib import Path

from .state import State, merged


def state_file(folder: Path, worker: int) -> Path:
    """Where a worker tells its state."""
    return folder / f"state-{worker}.json"


def gathered(folder: Path) -> State:
    """What the workers that have begun to serve tell together."""
    states = []
    for file in sorted(folder.glob("state-*.json")):
        # A worker may die while its file is read.
        with contextlib.suppress(FileNotFoundError):
            states.append(State.read(file))
    return merged(states)
