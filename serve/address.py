"""Addresses given as host:port."""

import contextlib
import errno
import socket
from collections.abc import Iterator, Mapping

from strop.errors import InputError, reason

EVERY_HOST = {"0.0.0.0", "::"}  # noqa: S104


def split(address: str) -> tuple[str, int]:
    """Host and port; ``ValueError`` when it isn't ``host:port`` with a port of 0 to 65535."""
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is not host:port")
    return host.strip("[]"), int(port)


def require_address(flag: str, address: str) -> None:
    """``InputError`` when ``address`` is not ``host:port``."""
    try:
        split(address)
    except ValueError as error:
        raise InputError(f"{flag}: {error}; write it like 127.0.0.1:8001") from error


def require_apart(addresses: Mapping[str, str]) -> None:
    """``InputError`` when two of the addresses, by flag, would listen on one port of one host."""
    taken: dict[int, list[tuple[str, str]]] = {}
    for flag, address in addresses.items():
        host, port = split(address)
        for other, held in taken.setdefault(port, []):
            if port and (host == held or EVERY_HOST & {host, held}):
                raise InputError(
                    f"{flag} {address} is where {other} listens, too; give each a port of its own"
                )
        taken[port].append((flag, host))


def join(host: str, port: int) -> str:
    """What ``split`` takes apart."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_free(flag: str, address: str) -> None:
    """``InputError`` when nothing can listen on ``address``; port 0 is always free."""
    with _bound(flag, address, socket.SO_REUSEADDR):
        pass


@contextlib.contextmanager
def reserved(flag: str, address: str) -> Iterator[str]:
    """Hold a free port for servers that share it; yields the address with port 0 resolved.

    It takes no calls itself: only listening sockets do. Raises ``InputError`` as ``check_free``.
    """
    check_free(flag, address)
    with _bound(flag, address, socket.SO_REUSEPORT) as holder:
        yield join(split(address)[0], holder.getsockname()[1])


def _bound(flag: str, address: str, option: int) -> socket.socket:
    host, port = split(address)
    try:
        family, kind, protocol, _, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        bound = socket.socket(family, kind, protocol)
        try:
            bound.setsockopt(socket.SOL_SOCKET, option, 1)
            bound.bind(place)
        except OSError:
            bound.close()
            raise
    except OSError as error:
        raise in_use(flag, address, error) from error
    return bound


def in_use(flag: str, address: str, error: OSError) -> InputError:
    """The error for an address that can't be listened on."""
    match error.errno:
        case errno.EACCES:
            fix = "choose a port from 1024 on, or run with the right to lower ones (CAP_NET_BIND_SERVICE)"
        case errno.EADDRNOTAVAIL | socket.EAI_NONAME:
            fix = "give an address of this machine, such as 127.0.0.1 or 0.0.0.0"
        case _:
            fix = "stop what listens there or choose another port"
    return InputError(f"{flag} {address}: {reason(error).lower()}; {fix}")
