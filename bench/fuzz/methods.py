"""The methods that are called, by an input's first byte, and what each takes."""

from google.protobuf.descriptor import MethodDescriptor

from strop.proto import open_inference_pb2 as oip
from strop.proto import strop_pb2 as typed

SERVICES = (
    oip.DESCRIPTOR.services_by_name["GRPCInferenceService"],
    typed.DESCRIPTOR.services_by_name["Strop"],
)
METHODS: dict[str, MethodDescriptor] = {
    f"{service.full_name}/{method.name}": method for service in SERVICES for method in service.methods
}
SECONDS = (None, None, None, 10.0, 0.0, 1e-9, -1.0)
"""Until the deadline: the second byte of an input chooses."""
METADATA: tuple[tuple[tuple[str, str], ...], ...] = (
    (),
    (("x-route-key", "a"),),
    (("x-request-id", "7"), ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")),
    (("traceparent", "-"),),
)
"""Beside the request: the third byte chooses."""
HEADER = 3
"""Bytes before the message."""


def method_of(data: bytes) -> str:
    """The full name of the method that an input calls."""
    return list(METHODS)[data[0] % len(METHODS)]


def seconds_of(data: bytes) -> float | None:
    """Until its deadline."""
    return SECONDS[data[1] % len(SECONDS)]


def metadata_of(data: bytes) -> tuple[tuple[str, str], ...]:
    """What it brings beside the message."""
    return METADATA[data[2] % len(METADATA)]
