"""What a service manager that started the server is told, by systemd's protocol (sd_notify(3))."""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Send a state such as ``READY=1`` to the socket in ``$NOTIFY_SOCKET``; nothing when there is none."""
    if not (place := os.environ.get("NOTIFY_SOCKET")):
        return
    # As its manual has it, a manager that can't be told is no reason not to serve.
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        # A leading @ stands for the abstract namespace.
        manager.sendto(state.encode(), "\0" + place[1:] if place.startswith("@") else place)
