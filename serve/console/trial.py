"""A text tried from the console: one ModelInfer call to the server's own address, like anybody's."""

from collections.abc import Callable, Mapping
from typing import Any

import grpc

from strop.proto import open_inference_pb2 as pb
from strop.proto import open_inference_pb2_grpc as pb_grpc

from ..address import join, split
from .site import RefusedError

LONGEST_TEXT = 10_000
"""Characters."""
LONGEST_VECTOR = 8
"""Numbers of an output that are shown."""
DEADLINE_SECONDS = 10.0
STATUSES = {
    grpc.StatusCode.INVALID_ARGUMENT: "400 Bad Request",
    grpc.StatusCode.NOT_FOUND: "404 Not Found",
    grpc.StatusCode.RESOURCE_EXHAUSTED: "429 Too Many Requests",
    grpc.StatusCode.UNAVAILABLE: "503 Service Unavailable",
    grpc.StatusCode.DEADLINE_EXCEEDED: "504 Gateway Timeout",
}


class Trial:
    """Asks the server what it would tell any caller; counted and bounded as every call is."""

    def __init__(self, address: Callable[[], str | None]) -> None:
        """``address`` is where gRPC answers, once it does."""
        self._address = address
        self._channel: grpc.Channel | None = None

    def __call__(self, asked: Mapping[str, str]) -> Mapping[str, Any]:
        """The answer to ``text``, and ``text_pair`` if the model wants one, by ``model`` and ``version``.

        Raises ``RefusedError`` with what the server says, or when a text is too long.
        """
        request = pb.ModelInferRequest(
            model_name=asked.get("model", ""), model_version=asked.get("version", "")
        )
        for name in ("text", "text_pair"):
            if name not in asked:
                continue
            if (length := len(asked[name])) > LONGEST_TEXT:
                raise RefusedError(
                    "413 Content Too Large",
                    f"{name} has {length} characters; the console takes at most {LONGEST_TEXT}",
                )
            tensor = request.inputs.add(name=name, datatype="BYTES", shape=[1])
            tensor.contents.bytes_contents.append(_encoded(name, asked[name]))
        try:
            reply = self._stub().ModelInfer(request, timeout=DEADLINE_SECONDS)
        except grpc.RpcError as error:
            status = STATUSES.get(error.code(), "502 Bad Gateway")
            raise RefusedError(status, f"{error.code().name}: {error.details()}") from error
        return told(reply)

    def _stub(self) -> Any:
        """A client of the server, on one channel."""
        if (address := self._address()) is None:
            raise RefusedError("503 Service Unavailable", "the server is still starting; try again soon")
        if self._channel is None:
            self._channel = grpc.insecure_channel(reachable(address))
        return pb_grpc.GRPCInferenceServiceStub(self._channel)


def reachable(address: str) -> str:
    """Where a client on the same machine finds a server that listens on ``address``."""
    host, port = split(address)
    return join({"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host), port)  # noqa: S104


def told(reply: Any) -> Mapping[str, Any]:
    """A ModelInfer reply as JSON: who answered, the outputs' values as text, the time in microseconds."""
    facts = reply.parameters
    return {
        "model": reply.model_name,
        "version": reply.model_version,
        "variant": facts["variant"].string_param,
        "truncated": facts["truncated_texts"].int64_param > 0,
        "microseconds": {
            name: facts[f"{name}_us"].int64_param for name in ("tokenise", "queue", "compute", "total")
        },
        "outputs": [{"name": one.name, "value": _shown(one)} for one in reply.outputs],
    }


def _shown(output: Any) -> str:
    if output.datatype == "BYTES":
        return ", ".join(element.decode(errors="replace") for element in output.contents.bytes_contents)
    values = output.contents.fp32_contents
    shown = ", ".join(f"{value:.4g}" for value in values[:LONGEST_VECTOR])
    return shown if len(values) <= LONGEST_VECTOR else f"{shown}, … ({len(values)} numbers)"


def _encoded(name: str, text: str) -> bytes:
    try:
        return text.encode()
    except UnicodeEncodeError as error:
        # JSON can write half a surrogate pair, which no text has.
        raise RefusedError("400 Bad Request", f"{name} is no Unicode text") from error
