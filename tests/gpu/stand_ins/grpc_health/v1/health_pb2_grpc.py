"""Leaves a server without the standard health service: nothing here asks it."""


def add_HealthServicer_to_server(servicer: object, server: object) -> None:  # noqa: N802 - its name
    """Add nothing."""
