"""How a client gets in: whom it trusts, and what it shows of itself."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from .errors import InputError

T = TypeVar("T")
GROUP = Group("How to get in", sort_key=1)
Option = Annotated[T, Parameter(group=GROUP)]

KEY_VARIABLE = "STROP_API_KEY"


@dataclass(frozen=True, kw_only=True)
class AccessOptions:
    """How a client gets in."""

    ca: Option[Path | None] = None
    """Speak TLS, and trust servers with a certificate by one of these authorities, in PEM."""
    certificate: Option[Path | None] = None
    """With --ca: the client's own certificate in PEM, for a server that asks for one."""
    key: Option[Path | None] = None
    """The private key of --certificate, in PEM."""
    api_key_file: Option[Path | None] = None
    """A file with the API key, as strop keys new printed it. Default: the variable STROP_API_KEY, if it
    is set. An option could not be kept from whoever lists processes."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        if (self.certificate is None) != (self.key is None):
            raise InputError("--certificate and --key go together; give both")
        if self.certificate is not None and self.ca is None:
            raise InputError("--certificate needs --ca, whom to trust; give it, too")

    def credentials(self) -> Any:
        """``grpc.ChannelCredentials``, None to speak without TLS; ``InputError`` for a file that can't be
        read.
        """
        if self.ca is None:
            return None
        # Not at the top: the options' help must not wait for gRPC.
        import grpc

        return grpc.ssl_channel_credentials(
            _read("--ca", self.ca), _read("--key", self.key), _read("--certificate", self.certificate)
        )

    def channel(self, address: str) -> Any:
        """A ``grpc.Channel`` to a server, never through a proxy: who administers is beside it, or names the
        proxy as the address. Raises as ``credentials`` does.
        """
        import grpc

        options, credentials = [("grpc.enable_http_proxy", 0)], self.credentials()
        if credentials is None:
            return grpc.insecure_channel(address, options)
        return grpc.secure_channel(address, credentials, options)

    def metadata(self) -> tuple[tuple[str, str], ...]:
        """What every call carries; ``InputError`` for a file that can't be read."""
        key = (_read("--api-key-file", self.api_key_file) or b"").decode(errors="replace")
        key = (key or os.environ.get(KEY_VARIABLE, "")).strip()
        if key and not (key.isascii() and key.isprintable()):
            raise InputError("the API key has something else than printable ASCII; give one line")
        return (("authorization", f"Bearer {key}"),) if key else ()


def _read(flag: str, path: Path | None) -> bytes | None:
    if path is None:
        return None
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{flag} {path} can't be read: {error.strerror}; name another file") from error


OPEN = AccessOptions()
"""To a server without locks, unless the environment has a key."""
