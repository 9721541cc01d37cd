"""``strop models``: what a running server serves, and what of it is to change."""

from dataclasses import KW_ONLY, dataclass
from typing import Annotated, Any

from cyclopts import Parameter

from strop.access import OPEN, AccessOptions, failed
from strop.errors import InputError

from .address import require_address
from .config import BasicOptions

Names = Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")]
TIMEOUT_SECONDS = 600.0
"""For loading, which checks and warms up, and for unloading, which finishes calls."""


@Parameter(name="*")
@dataclass(frozen=True)
class ModelsConfig:
    """Whom to ask, and what to change."""

    address: str = BasicOptions.address
    """Where the server listens, as host:port; where admin calls have an address of their own, that one."""
    _: KW_ONLY
    load: Names = ()
    """Models to load, or to bring up to date with the repository, on a server with --model-control
    explicit. It returns once they answer, or says what is wrong with a version, which then stays out."""
    unload: Names = ()
    """Models to unload, once the calls to them are finished; before any is loaded."""
    access: Annotated[AccessOptions, Parameter(name="*")] = OPEN

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if both := set(self.load) & set(self.unload):
            raise InputError(f"--load and --unload both name {', '.join(sorted(both))}; say which")
        require_address("--address", self.address)


def models(config: ModelsConfig | None = None) -> None:
    """List the models of a running server by version and state, after loading and unloading some.

    Works with any server of the Open Inference Protocol that has Triton's repository calls.
    """
    # Not at the top: the options' help must not wait for gRPC.
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in ("model", "version", "state", "reason"):
        table.add_column(column, overflow="fold")
    for one in _index(config or ModelsConfig()):
        table.add_row(*map(Text, (one.name, one.version, one.state, one.reason)))
    Console().print(table)


def _index(config: ModelsConfig) -> Any:
    """The server's index, once what was asked for has changed; ``StropError`` with what it says."""
    import grpc

    from strop.proto import open_inference_pb2 as pb
    from strop.proto import open_inference_pb2_grpc as pb_grpc

    with config.access.channel(config.address) as channel:
        stub = pb_grpc.GRPCInferenceServiceStub(channel)
        calls = [
            *(
                (stub.RepositoryModelUnload, pb.RepositoryModelUnloadRequest(model_name=name))
                for name in config.unload
            ),
            *(
                (stub.RepositoryModelLoad, pb.RepositoryModelLoadRequest(model_name=name))
                for name in config.load
            ),
            (stub.RepositoryIndex, pb.RepositoryIndexRequest()),
        ]
        try:
            *_, index = [
                call(request, timeout=TIMEOUT_SECONDS, metadata=config.access.metadata())
                for call, request in calls
            ]
        except grpc.RpcError as error:
            raise failed(config.address, error) from error
    return index.models
