"""What a benchmark is pointed at: the client that reaches it, its wire, and what it serves."""

from importlib.util import find_spec

from strop.errors import InputError

from .client import Caller, Client
from .config import BenchConfig
from .discovery import discover
from .endpoint import Endpoint, JsonWire
from .protocols import WIRES, Wire
from .served import Served


def caller(config: BenchConfig) -> Caller:
    """A client, not yet connected: of HTTP where an endpoint is declared, else of gRPC."""
    if not config.endpoint:
        return Client(
            config.address, channels=config.channels, deadline=config.deadline, access=config.access
        )
    if find_spec("aiohttp") is None:
        raise InputError("--endpoint needs aiohttp; pip install 'strop[http]'")
    # Not at the top: a box that only measures gRPC needs no aiohttp.
    from .http_client import HttpClient

    return HttpClient(config.address, deadline=config.deadline)


def wire(config: BenchConfig, served: Served) -> Wire:
    """How the model is asked; ``InputError`` if the endpoint's file or the tokenizer is wrong."""
    if config.endpoint:
        return JsonWire(Endpoint.read(config.endpoint))
    if config.tokenizer:
        # Not at the top: a bundle needs ONNX Runtime, which a client can do without.
        from .token_wire import Tokenizer, TokenWire

        return TokenWire(served, Tokenizer.open(config.tokenizer))
    return WIRES[config.protocol](served)


async def find(config: BenchConfig) -> Served:
    """What is served there: as the endpoint declares it, or as the server tells it.

    Raises ``InputError`` for options that don't fit, ``StropError`` if the server can't be reached.
    """
    if config.endpoint:
        return Endpoint.read(config.endpoint).served
    async with caller(config) as client:
        return await discover(
            client,
            config.model,
            config.task,
            token_ids=config.tokenizer is not None,
            pairs=config.pair_column is not None,
        )
