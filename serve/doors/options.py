"""The options of ``strop serve`` that say who may ask what, and how much."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, TypeVar

from cyclopts import Group, Parameter

from strop.errors import InputError
from strop.options import require_at_least

from ..address import require_address

T = TypeVar("T")
DOORS = Group("Who may ask", sort_key=4)
LIMITS = Group("How much one caller may send", sort_key=5)
Door = Annotated[T, Parameter(group=DOORS)]
Limit = Annotated[T, Parameter(group=LIMITS)]


@dataclass(frozen=True, kw_only=True)
class DoorOptions:
    """Who may ask, and what is written down of it."""

    tls_certificate: Door[Path | None] = None
    """The server's certificate in PEM, its chain behind it: gRPC and the metrics page then speak TLS
    alone. It, its key and --tls-client-ca are read again whenever they change."""
    tls_key: Door[Path | None] = None
    """The private key of --tls-certificate, in PEM without a password."""
    tls_client_ca: Door[Path | None] = None
    """Take connections of clients alone that have a certificate by one of these authorities, in PEM."""
    keys: Door[Path | None] = None
    """Answer callers alone that have one of this file's keys (strop keys new), each within its scopes,
    models and quotas; health checks stay open. It is read again whenever it changes. With several
    --workers each of them grants its part of a quota, so spread your connections."""
    admin_address: Door[str | None] = None
    """Take the admin calls (RepositoryModelLoad and Unload, RepositoryIndex, ModelStatistics) at this
    host:port and nowhere else; such as a loopback or a management network."""
    insecure_listen: Annotated[bool, Parameter(group=DOORS, negative="")] = False
    """Listen beyond this machine without TLS, or without keys and client certificates. For a network
    that something else guards."""
    access_log: Door[str | None] = None
    """Write a JSON line for every call to this file, - for standard error: when, whose key, from where,
    what was asked, how it ended. No texts. A file that is moved away is begun anew."""
    log_texts: Annotated[bool, Parameter(group=DOORS, negative="")] = False
    """Write the texts of answered calls into --access-log, too."""
    audit_log: Door[str] = "-"
    """Where every admin call is written down, allowed or not: a file, or - for standard error."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if (self.tls_certificate is None) != (self.tls_key is None):
            raise InputError("--tls-certificate and --tls-key go together; give both")
        if self.tls_client_ca is not None and self.tls_certificate is None:
            raise InputError("--tls-client-ca needs --tls-certificate and --tls-key; give them, too")
        if self.admin_address is not None:
            require_address("--admin-address", self.admin_address)
        if self.log_texts and self.access_log is None:
            raise InputError("--log-texts is for --access-log; give that, too")


@dataclass(frozen=True, kw_only=True)
class LimitOptions:
    """How much one caller, or one connection, may send and hold."""

    max_message_bytes: Limit[int] = 1048576
    """The largest request; a larger one is refused with RESOURCE_EXHAUSTED."""
    max_texts: Limit[int] = 0
    """Texts in one call at most; 0 takes half of --queue-texts."""
    max_characters: Limit[int] = 100000
    """Characters of one text at most, or tokens of one row of token ids: what is longer costs time to
    tokenise, even where it is then truncated."""
    max_streams: Limit[int] = 1024
    """Calls under way on one connection at most; a client holds back what is beyond that."""
    connection_age_seconds: Limit[float] = 0.0
    """Close a connection of this age, give or take a tenth; clients make another one and lose no call that
    ends within a minute more. It cuts off whoever holds calls open, and spreads clients over workers that
    were added; 0 never does."""
    stream_idle_seconds: Limit[float] = 300.0
    """Cut off a stream whose caller has neither sent nor read anything for so long, while nothing of it
    was computed; 0 never does."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(
            self,
            max_message_bytes=1,
            max_texts=0,
            max_characters=1,
            max_streams=1,
            connection_age_seconds=0,
            stream_idle_seconds=0,
        )
