"""How the bundle in a folder becomes a model that is ready to answer."""

from pathlib import Path

from strop.export.bundle.manifest import read_manifest

from ..config import ServeConfig
from ..inference.model import Model


class Loader:
    """Loads models as the options say; its methods block."""

    def __init__(self, config: ServeConfig) -> None:
        self._config = config

    def size(self, root: Path) -> int:
        """Bytes of memory that a bundle's variant took at export; raises as ``load`` does."""
        manifest = read_manifest(root, self._config.public_key)
        wanted = self._config.variant or manifest.default_variant
        return next((one.peak_bytes for one in manifest.variants if one.name == wanted), 0)

    def load(self, root: Path) -> Model:
        """Open, check and warm up; raises what ``Model.load`` does."""
        return Model.load(root, self._config)
