"""The statuses of the standard health service."""


class HealthCheckResponse:
    """What it answers."""

    SERVING = 1
