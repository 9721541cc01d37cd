"""Leaves a server without reflection: nothing here asks it."""

from collections.abc import Iterable

SERVICE_NAME = "grpc.reflection.v1alpha.ServerReflection"


def enable_server_reflection(service_names: Iterable[str], server: object) -> None:
    """Enable nothing."""
