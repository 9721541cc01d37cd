"""The standard health service, of which a server only takes note."""

SERVICE_NAME = "grpc.health.v1.Health"


class aio:  # noqa: N801 - a module in grpcio-health-checking
    """Its servicer for asyncio."""

    class HealthServicer:
        """Told of, and never asked."""

        async def set(self, service: str, status: int) -> None:
            """Hear how a service is."""

        async def enter_graceful_shutdown(self) -> None:
            """Hear that all go down."""
