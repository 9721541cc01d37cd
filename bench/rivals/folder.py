"""A run's model as a Hugging Face folder: ``python -m strop.bench.rivals.folder RUN OUT``.

In a process of its own: it loads torch, whose threads must not stand beside the load generator's.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from strop.errors import StropError
from strop.train.run import Run


def save_folder(run: Path, out: Path) -> Path:
    """Write the run's merged model and its tokenizer into ``out``; ``StropError`` if that fails."""
    command = (sys.executable, "-m", "strop.bench.rivals.folder", str(run.resolve()), str(out))
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = done.stderr.strip().splitlines() or ["it said nothing"]
        raise StropError(f"--run {run} could not be saved for transformers: {lines[-1]}")
    return out


if __name__ == "__main__":
    source, target = Path(sys.argv[1]), Path(sys.argv[2])
    run = Run.open(source)
    run.merged_model().save_pretrained(target)
    shutil.copytree(run.tokenizer_file.parent, target, dirs_exist_ok=True)
