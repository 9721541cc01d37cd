"""Peak memory of a variant, measured in a process of its own: ``python -m strop.export.footprint``."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from strop.errors import StropError

from .bundle import Layout, open_runner

KIBIBYTE = 1024
"""What the kernel counts in."""


TEXTS, TOKENS = 16, 24
"""The batch whose memory is measured: texts, and the tokens of each."""


def peak_bytes(graph: Path, layout: Layout) -> int:
    """Resident bytes that loading a graph and computing one batch add to a process."""
    command = [sys.executable, "-m", __name__, str(graph), json.dumps(layout.to_fields())]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise StropError(f"measuring the memory of {graph.parent.name} failed: {done.stderr.strip()}")
    return int(done.stdout)


def _measure(graph: Path, layout: Layout) -> int:
    before = _peak()
    open_runner(graph).run(layout.feeds([np.zeros(TOKENS, dtype=np.int64)] * TEXTS))
    return _peak() - before


def _peak() -> int:
    # Not getrusage: its peak counts what the process was before it ran this program.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.partition("VmHWM:")[2].split()[0]) * KIBIBYTE


if __name__ == "__main__":
    print(_measure(Path(sys.argv[1]), Layout.from_fields(json.loads(sys.argv[2]))))
