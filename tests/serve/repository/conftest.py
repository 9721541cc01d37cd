"""A repository of tiny bundles, and servers on it."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc

Start = Callable[..., Any]
TEXTS = ["good film"]


def publish(
    bundle: Path, repository: Path, name: str, version: str, *, without: str = "", **fields: Any
) -> Path:
    """Copy a bundle to its place in the repository, at once, as name and version; or but for a file."""
    stage, place = repository / f".{name}-{version}", repository / name / version
    shutil.copytree(bundle, stage)
    manifest = json.loads((stage / "manifest.json").read_text())
    manifest |= {"name": name, "version": version, **fields}
    (stage / "manifest.json").write_text(json.dumps(manifest))
    if without:
        (stage / without).unlink()
    place.parent.mkdir(parents=True, exist_ok=True)
    return stage.rename(place)


class Client:
    """Both protocols on one channel."""

    def __init__(self, address: str) -> None:
        self.channel = grpc.insecure_channel(address)
        self._strop = pb_grpc.StropStub(self.channel)
        self.oip = oip_grpc.GRPCInferenceServiceStub(self.channel)

    def classify(self, model: str = "", version: str = "", **facts: Any) -> pb.ClassifyResponse:
        request = pb.ClassifyRequest(model=model, version=version, texts=TEXTS)
        return self._strop.Classify(request, **{"timeout": 30, **facts})

    def fails(self, model: str = "", version: str = "") -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.RpcError) as raised:
            self.classify(model, version)
        return raised.value.code(), raised.value.details()

    def index(self) -> dict[tuple[str, str], tuple[str, str]]:
        models = self.oip.RepositoryIndex(oip.RepositoryIndexRequest()).models
        return {(one.name, one.version): (one.state, one.reason) for one in models}

    def ready(self) -> list[tuple[str, str]]:
        return [key for key, (state, _) in self.index().items() if state == "READY"]

    def load(self, name: str) -> None:
        self.oip.RepositoryModelLoad(oip.RepositoryModelLoadRequest(model_name=name))

    def unload(self, name: str) -> None:
        self.oip.RepositoryModelUnload(oip.RepositoryModelUnloadRequest(model_name=name))


@pytest.fixture
def repository(tiny_bundle: Path, tmp_path: Path) -> Path:
    root = tmp_path / "repository"
    root.mkdir()
    publish(tiny_bundle, root, "films", "1")
    publish(tiny_bundle, root, "tweets", "9")
    return root


@pytest.fixture
def client(start_server: Start, repository: Path) -> Iterator[Callable[..., Client]]:
    """Starts a server on the repository and connects to it."""
    clients: list[Client] = []

    def connect(*options: str, place: str | None = None) -> Client:
        server = start_server(place or repository, *options)
        clients.append(Client(server.address))
        clients[-1].server = server
        return clients[-1]

    yield connect
    for one in clients:
        one.channel.close()


@pytest.fixture(name="publish")
def publish_fixture(tiny_bundle: Path, repository: Path) -> Callable[..., Path]:
    """Puts the tiny bundle, or another, into the repository."""

    def put(name: str, version: str, *, bundle: Path = tiny_bundle, **changes: Any) -> Path:
        return publish(bundle, repository, name, version, **changes)

    return put
