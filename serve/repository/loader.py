"""How the bundle in a folder becomes a model that is ready to answer."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from strop.export.bundle import Bundle
from strop.export.bundle.directory import read_manifest

from ..config import ServeConfig
from ..engines.choice import expect
from ..engines.engine import no_rest
from ..engines.options import LEAST_URGENT
from ..inference.model import Model

RESTS = 3.0
"""Times as long as a batch took."""


class Loader:
    """Loads models as the options say; its methods block."""

    def __init__(self, config: ServeConfig) -> None:
        self._config = config
        self._verifying = ThreadPoolExecutor(1, "verify", _last)

    def size(self, root: Path) -> int:
        """Bytes of memory that the variant ``load`` will choose took at export; raises as that does."""
        unverified = Bundle(root, read_manifest(root, self._config.public_key))
        return expect(unverified, self._config).peak_bytes

    def load(self, root: Path, beside: bool) -> Model:
        """Open, check and warm up; raises what ``Model.load`` does.

        ``beside`` others that are served it takes a quarter of a core for its batches, or their calls would
        wait for it.
        """
        verified = self._verifying.submit(Bundle.open, root, self._config.public_key)
        return Model.of(verified.result(), self._config, _rest if beside else no_rest)


def _last() -> None:
    # Checksums take a core for a while but hardly ever the interpreter's lock: who needs either goes first.
    os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), LEAST_URGENT)


def _rest(seconds: float) -> None:
    time.sleep(RESTS * seconds)
