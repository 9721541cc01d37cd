"""What may be listened on without a lock, and what gRPC is told of connections."""

import ipaddress
from collections.abc import Mapping

from ..address import split
from .options import DoorOptions, LimitOptions

# gRPC asks a silent peer so often whether it is still there, and cuts it off if it does not say so in time.
KEEPALIVE_SECONDS, KEEPALIVE_TIMEOUT_SECONDS = 60, 20
# A client may ask as often as this; one that asks faster three times is cut off (GOAWAY, too_many_pings).
PING_SECONDS, PING_STRIKES = 10, 2
# What a connection's calls have to end in once it is too old.
AGE_GRACE_SECONDS = 60


def is_loopback(address: str) -> bool:
    """Whether ``host:port`` can be reached from this machine alone; of names only localhost is."""
    host, _ = split(address)
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def unlocked(addresses: Mapping[str, str], options: DoorOptions) -> str:
    """Which addresses, by flag, others can reach and what they are not locked by; empty if none is so."""
    missing = [
        *([] if options.tls_certificate else ["TLS (--tls-certificate, --tls-key)"]),
        *([] if options.keys or options.tls_client_ca else ["a lock (--keys, or --tls-client-ca)"]),
    ]
    wide = {flag: address for flag, address in addresses.items() if not is_loopback(address)}
    if not (missing and wide):
        return ""
    said = " and ".join(f"{flag} {address}" for flag, address in wide.items())
    return f"{said} can be reached from other machines without {' and without '.join(missing)}"


def connection_options(limits: LimitOptions) -> list[tuple[str, int]]:
    """The limits as gRPC's channel arguments."""
    found = [
        ("grpc.max_receive_message_length", limits.max_message_bytes),
        ("grpc.max_concurrent_streams", limits.max_streams),
        ("grpc.keepalive_time_ms", 1000 * KEEPALIVE_SECONDS),
        ("grpc.keepalive_timeout_ms", 1000 * KEEPALIVE_TIMEOUT_SECONDS),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 1000 * PING_SECONDS),
        ("grpc.http2.max_ping_strikes", PING_STRIKES),
    ]
    if limits.connection_age_seconds:
        found += [
            ("grpc.max_connection_age_ms", max(1, round(1000 * limits.connection_age_seconds))),
            ("grpc.max_connection_age_grace_ms", 1000 * AGE_GRACE_SECONDS),
        ]
    return found
