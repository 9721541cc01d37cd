"""Files that a server reads: those of a bundle, and its routes."""

import random
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import atheris
import numpy as np

from strop.errors import StropError
from strop.export.bundle import Bundle, Manifest, TextEncoder
from strop.export.bundle.directory import read_manifest
from strop.export.bundle.golden import read_golden
from strop.export.bundle.graph import require_whole
from strop.export.bundle.manifest import GOLDEN_FILE, MANIFEST_FILE, TOKENIZER_FILE
from strop.serve.repository.routes import read_routes

from .values import mutate_json
from .verdict import FindingError

GRAPH_FILE, ROUTES_FILE = "graph.onnx", "routes.toml"
FIX = re.compile("; |must|need|should|known are")
"""A refusal says what would be right, in one of these ways."""
ROUTES = b"""[films]
aliases = { stable = "1", canary = "2" }
weights = { stable = 95, canary = 5.0 }
shadow_share = 0.1
[films.rollback]
seconds = 30
min_calls = 10
max_p99_ratio = 2.0
[tweets]
weights = { 1 = 1 }
shadow = "2"
shadow_share = 1
"""


class Files:
    """Each file alone, beside the bundle's others as they are; the first byte of an input says which."""

    def __init__(self, bundle: Path, folder: Path) -> None:
        """Copy ``bundle`` into ``folder``, where the files are then written."""
        self._root = Path(shutil.copytree(bundle, folder / "bundle"))
        self._max_tokens = read_manifest(bundle).max_tokens
        self._readers: Mapping[str, Callable[[Path], object]] = {
            MANIFEST_FILE: self._read_manifest,
            GOLDEN_FILE: read_golden,
            TOKENIZER_FILE: self._read_tokenizer,
            GRAPH_FILE: require_whole,
            ROUTES_FILE: self._read_routes,
        }
        self._valid = {
            name: (bundle / name).read_bytes() for name in (MANIFEST_FILE, GOLDEN_FILE, TOKENIZER_FILE)
        }
        self._valid |= {GRAPH_FILE: _graph(), ROUTES_FILE: ROUTES}

    def seeds(self) -> Iterator[bytes]:
        """Each file as it should be."""
        for number, name in enumerate(self._readers):
            yield bytes([number]) + self._valid[name]

    def mutate(self, data: bytes, size: int, seed: int) -> bytes:
        """Two thirds of JSON are changed value by value, all else byte by byte."""
        chance = random.Random(seed)
        if data and chance.random() < 0.67 and not self._name(data).endswith((".onnx", ".toml")):
            # Of golden examples one line at a time, which is JSON by itself.
            lines = data[1:].split(b"\n") if self._name(data) == GOLDEN_FILE else [data[1:]]
            place = chance.randrange(len(lines))
            try:
                lines[place] = mutate_json(lines[place], chance)
                return (data[:1] + b"\n".join(lines))[:size]
            except (ValueError, RecursionError):
                pass
        return bytes(atheris.Mutate(data, size))

    def run(self, data: bytes) -> str:
        """Read one file."""
        if not data:
            return "too short"
        name = self._name(data)
        path = self._root / name
        path.write_bytes(data[1:])
        try:
            self._readers[name](path)
            return f"{name} read"
        except StropError as error:
            message = str(error)
            if name not in message or not FIX.search(message) or "\n" in message:
                raise FindingError(
                    f"{name} is refused without its name or a fix, such as by {message!r}"
                ) from None
            return f"{name} refused"
        except BaseException as error:  # a panic in Rust is no Exception
            raise FindingError(f"{name} raises {error!r}") from error
        finally:
            path.write_bytes(self._valid[name])

    def close(self) -> None:
        """Remove the copy."""
        shutil.rmtree(self._root.parent)

    def _name(self, data: bytes) -> str:
        return list(self._readers)[data[0] % len(self._readers)]

    def _read_manifest(self, path: Path) -> None:
        """What the server does with it before it loads a graph."""
        manifest = read_manifest(self._root)
        if Manifest.from_json(manifest.to_json()).to_json() != manifest.to_json():
            raise FindingError("a manifest does not survive its file")
        bundle = Bundle(self._root, manifest)
        list(bundle.file_faults())
        sequences = [np.arange(length) for length in (1, 3, 17)]
        for layout in (bundle.variant().layout, bundle.variant().layout.padded()):
            for batch in layout.batches(sequences, 16):
                layout.feeds(batch)

    def _read_tokenizer(self, path: Path) -> None:
        encoder = TextEncoder(path, self._max_tokens)
        encoder.encode(["good film", "", "a \U0001f600\0 b"])

    def _read_routes(self, path: Path) -> None:
        for route in read_routes(path).values():
            route.choose(0.5, dict.fromkeys(route.versions, True))


def _graph() -> bytes:
    """A graph with a tensor in every place where one may stand, by onnx.proto's numbers."""
    tensor = _field(9, b"\0\1\2\3")
    sparse = _field(1, tensor) + _field(2, tensor)
    attribute = _field(5, tensor) + _field(22, sparse)
    node = _field(5, attribute)
    graph = _field(1, node) + _field(5, tensor) + _field(15, sparse)
    within = _field(1, _field(5, _field(6, graph)))
    return _field(7, graph + within) + _field(20, _field(1, graph)) + _field(25, _field(7, node))


def _field(number: int, content: bytes) -> bytes:
    """One of fewer than 16,384 bytes."""
    key = number << 3 | 2
    return _varint(key) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    return bytes([value]) if value < 128 else bytes([value & 127 | 128, value >> 7])
