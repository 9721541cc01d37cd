"""Builds one engine: a job on standard input, JSON lines on standard output; ends with who asked.

``{"progress": 0.25}`` as often as it changes by a hundredth, then ``{"done": true}`` or
``{"error": "…"}``, with exit code 0 or 1. Only ``Builder`` starts it.
"""

import fcntl
import json
import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

from strop.errors import StropError

from .build import build
from .cache import EngineCache, EngineKey

STEP = 0.01
NICENESS = 10
"""Whoever serves meanwhile goes first."""


def main() -> int:
    """Build what standard input asks for; the exit code."""
    # Libraries that print to standard output would break the lines.
    lines = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8", buffering=1)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, name="parent", daemon=True).start()
    os.nice(NICENESS)

    def say(**fields: Any) -> None:
        lines.write(json.dumps(fields) + "\n")

    try:
        _build(
            EngineKey.from_fields(job["key"]), Path(job["graph"]), EngineCache(Path(job["cache"])), job, say
        )
    except (StropError, OSError, ImportError, MemoryError) as error:
        say(error=" ".join(str(error).split()) or type(error).__name__)
        return 1
    say(done=True)
    return 0


def _build(key: EngineKey, graph: Path, cache: EngineCache, job: dict[str, Any], say: Any) -> None:
    told = 0.0

    def progress(part: float) -> None:
        nonlocal told
        if part >= told + STEP:
            told = part
            say(progress=round(part, 4))

    cache.folder.mkdir(parents=True, exist_ok=True)
    with (cache.folder / f"{key.stem}.lock").open("w", encoding="utf-8") as lock:
        # Workers ask for the same engine at the same time: one builds it, the others find it.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if cache.find(key)[0] is not None:
            return
        began = time.monotonic()
        timings = cache.folder / f"{key.library}-{key.version}-sm{key.compute_capability}.timings"
        engine = build(
            graph,
            key.library,
            key.profiles,
            key.compute_capability,
            progress,
            timings,
            sparse=key.sparse,
        )
        cache.keep(key, engine, job["card"], round(time.monotonic() - began, 3))


def _end_with_parent() -> None:
    # Not through sys.stdin: its lock would be held when the interpreter ends.
    while os.read(sys.stdin.fileno(), 1):
        pass
    os._exit(1)


if __name__ == "__main__":
    sys.exit(main())
