"""An authority with certificates, key files, and locked servers in this process."""

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from strop.serve.config import ServeConfig
from strop.serve.doors.doors import Doors
from strop.serve.observe.metrics import Metrics
from strop.serve.process.announce import Addresses
from strop.serve.process.server import listening, loaded


class Authority:
    """Makes certificates that this server and its clients trust."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name("authority")
        basic = x509.BasicConstraints(ca=True, path_length=None)
        made = self._builder(self._name, self._key.public_key()).add_extension(basic, critical=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))

    def issue(self, name: str, path: Path | None = None) -> tuple[Path, Path]:
        """A new certificate of this common name for 127.0.0.1, and its key, at ``path`` or anywhere."""
        key = ec.generate_private_key(ec.SECP256R1())
        here = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
        made = self._builder(_name(name), key.public_key()).add_extension(here, critical=False)
        path = path or self.folder / name
        certificate, private = path.with_suffix(".pem"), path.with_suffix(".key")
        certificate.write_bytes(made.sign(self._key, hashes.SHA256()).public_bytes(Encoding.PEM))
        private.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return certificate, private

    def _builder(self, name: x509.Name, key: Any) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@dataclass
class Locked:
    """A server in this process."""

    addresses: Addresses
    metrics: Metrics


@asynccontextmanager
async def locked_server(bundle: Path, **options: Any) -> AsyncIterator[Locked]:
    options = {"address": "127.0.0.1:0", "grace_seconds": 5, "dollars_per_hour": 1.0} | options
    config = ServeConfig(str(bundle), **options)
    metrics = Metrics()
    async with (
        loaded(config, metrics) as models,
        listening(models, config, Doors.of(config)) as addresses,
    ):
        yield Locked(addresses, metrics)


Play = Callable[..., None]


@pytest.fixture
def play(tiny_bundle: Path) -> Play:
    """Runs a scenario against a server of its own, with these options."""

    def run(scenario: Callable[[Locked], Coroutine[Any, Any, None]], **options: Any) -> None:
        async def main() -> None:
            async with asyncio.timeout(60), locked_server(tiny_bundle, **options) as server:
                await scenario(server)

        asyncio.run(main())

    return run


async def status(call: Any) -> tuple[grpc.StatusCode, str]:
    """How a call ended."""
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return error.code(), error.details() or ""
    return grpc.StatusCode.OK, ""


@pytest.fixture(name="status")
def status_fixture() -> Callable[[Any], Coroutine[Any, Any, tuple[grpc.StatusCode, str]]]:
    return status
