"""TLS: the server's certificate, and the authorities whose clients are let in."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Self

from strop.errors import InputError, reason

from .options import DoorOptions
from .reloaded import Reloaded

if TYPE_CHECKING:
    import grpc


@dataclass(frozen=True)
class Certificates:
    """What a handshake needs, in PEM."""

    certificate: bytes
    key: bytes
    client_ca: bytes | None
    context: ssl.SSLContext
    """The same for sockets of the standard library."""

    @classmethod
    def read(cls, certificate: Path, key: Path, client_ca: Path | None) -> Self:
        """``InputError`` for files that are no certificate and its key."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        try:
            # Without a password given, it would ask for one at the terminal.
            context.load_cert_chain(certificate, key, password="")
        except (OSError, ValueError) as error:
            raise InputError(
                f"--tls-certificate {certificate} and --tls-key {key} can't be used: {reason(error)};"
                " give a certificate in PEM and its own key, without a password"
            ) from error
        if client_ca is not None:
            try:
                context.load_verify_locations(client_ca)
            except (OSError, ValueError) as error:
                raise InputError(
                    f"--tls-client-ca {client_ca} can't be used: {reason(error)}; give certificates in PEM"
                ) from error
            context.verify_mode = ssl.CERT_REQUIRED
        return cls(
            certificate.read_bytes(),
            key.read_bytes(),
            client_ca.read_bytes() if client_ca else None,
            context,
        )


def certificates(options: DoorOptions) -> Reloaded[Certificates] | None:
    """Those that the options name; None without any. Raises as ``Certificates.read``."""
    certificate, key, client_ca = options.tls_certificate, options.tls_key, options.tls_client_ca
    if certificate is None or key is None:
        return None
    paths = [path for path in (certificate, key, client_ca) if path is not None]
    return Reloaded(paths, lambda: Certificates.read(certificate, key, client_ca))


def credentials(given: Reloaded[Certificates]) -> "grpc.ServerCredentials":
    """The same for gRPC, which asks for them at every handshake, in threads of its own."""
    # Not at the top: the supervisor of the workers does without gRPC.
    import grpc

    used = given.get()

    def changed() -> "grpc.ServerCertificateConfiguration | None":
        nonlocal used
        if (now := given.get()) is used:
            return None
        used = now
        return _configuration(now)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(used), changed, require_client_authentication=used.client_ca is not None
    )


def _configuration(given: Certificates) -> "grpc.ServerCertificateConfiguration":
    import grpc

    return grpc.ssl_server_certificate_configuration([(given.key, given.certificate)], given.client_ca)
