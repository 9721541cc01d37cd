"""Addresses given as host:port."""

import socket

from strop.errors import InputError


def split(address: str) -> tuple[str, int]:
    """Host and port; ``ValueError`` when it isn't ``host:port`` with a port of 0 to 65535."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


def check_free(flag: str, address: str) -> None:
    """``InputError`` when nothing can listen on ``address``; port 0 is always free."""
    host, port = split(address)
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(place)
    except OSError as error:
        raise in_use(flag, address, error) from error


def in_use(flag: str, address: str, error: OSError) -> InputError:
    """The error for an address that can't be listened on."""
    reason = (error.strerror or str(error)).lower()
    return InputError(f"{flag} {address}: {reason}; stop what listens there or choose another port")
