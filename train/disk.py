"""A disk that takes no more, told as Python tells it, whichever library wrote."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

_TORCH = re.compile(r"PytorchStreamWriter|inline_container\.cc")
"""What torch.save names when it fails; the system's reason is lost."""


@contextmanager
def faults_as_os_errors(folder: Path) -> Iterator[None]:
    """Turn what safetensors and torch raise when they can't write to ``folder`` into an ``OSError``."""
    try:
        yield
    except (SafetensorError, RuntimeError) as error:
        number = re.search(r"\(os error (\d+)\)", str(error))
        if number is None and not _TORCH.search(str(error)):
            raise
        code = int(number[1]) if number else errno.EIO
        raise OSError(code, os.strerror(code), str(folder)) from error
