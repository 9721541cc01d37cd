"""How a client gets in: whom it trusts, and what it shows of itself."""

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, TypeVar

from cyclopts import Group, Parameter

from .errors import InputError, StropError, reason

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

        self._require_certificates(self.ca)
        return grpc.ssl_channel_credentials(
            _read("--ca", self.ca), _read("--key", self.key), _read("--certificate", self.certificate)
        )

    def _require_certificates(self, ca: Path) -> None:
        """GRPC takes any bytes and then only says that nobody answers; ``InputError`` names the file."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(ca)
        except OSError as error:
            raise InputError(
                f"--ca {ca} can't be used: {reason(error)}; give certificates in PEM"
            ) from error
        if self.certificate is None:
            return
        try:
            # Without a password given, it would ask for one at the terminal.
            context.load_cert_chain(self.certificate, self.key, password="")
        except (OSError, ValueError) as error:
            raise InputError(
                f"--certificate {self.certificate} and --key {self.key} can't be used: {reason(error)};"
                " give a certificate in PEM and its own key, without a password"
            ) from error

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


def unanswered(address: str) -> StropError:
    """The error for an address where nobody speaks gRPC."""
    return StropError(
        f"no gRPC server answers at {address}; check host and port and, if it is locked, --ca and"
        " --certificate; or start one with strop serve"
    )


def without_key(address: str, told: str) -> InputError:
    """The error of a server that wants a key, or another one."""
    return InputError(f"{address} refuses: {told}; --api-key-file or {KEY_VARIABLE} gives it the key")


def failed(address: str, error: Any) -> StropError:
    """What a ``grpc.RpcError`` of a server says, in a line."""
    told = " ".join(str(error.details()).split())
    if error.code().name == "UNAVAILABLE" and told.startswith("failed to connect to all addresses"):
        return unanswered(address)
    if error.code().name == "UNAUTHENTICATED":
        return without_key(address, told)
    return StropError(f"{address}: {error.code().name}, {told}")


OPEN = AccessOptions()
"""To a server without locks, unless the environment has a key."""
