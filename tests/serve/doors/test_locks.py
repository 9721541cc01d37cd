"""TLS, client certificates, keys and scopes, over real gRPC and HTTPS."""

import asyncio
import base64
import contextlib
import socket
import ssl
import urllib.error
import urllib.request
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from prometheus_client import CollectorRegistry, Counter

from strop.errors import InputError
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc
from strop.proto.raw import pack_bytes
from strop.serve.config import ServeConfig
from strop.serve.doors.certificates import Certificates
from strop.serve.doors.doors import Doors
from strop.serve.doors.keys import digest
from strop.serve.observe.page import MetricsPage

REQUEST = pb.ClassifyRequest(texts=["good film"])
OK, UNAUTHENTICATED = grpc.StatusCode.OK, grpc.StatusCode.UNAUTHENTICATED
DENIED, EXHAUSTED = grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.RESOURCE_EXHAUSTED
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE


def entry(name: str, scopes: str = '"infer"', more: str = "") -> str:
    return f'[keys.{name}]\nsha256 = "{digest(f"secret-of-{name}")}"\nscopes = [{scopes}]\n{more}\n'


def shown(name: str, secret: str | None = None) -> tuple[tuple[str, str], ...]:
    return (("authorization", f"Bearer {name}.{secret or f'secret-of-{name}'}"),)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    path = tmp_path / "keys.toml"
    path.write_text(
        entry("shop")
        + entry("boss", '"admin"')
        + entry("prometheus", '"metrics"')
        + entry("other", more='models = ["other"]')
        + entry("slow", more="texts_per_second = 2")
        + entry("dear", more="dollars_per_day = 1e-12")
        + '[keys.device]\ncertificate = "device-7"\nscopes = ["infer"]\n'
    )
    return path


def infer(model: str = "tiny") -> oip.ModelInferRequest:
    request = oip.ModelInferRequest(model_name=model, raw_input_contents=[pack_bytes([b"good"])])
    request.inputs.add(name="text", datatype="BYTES", shape=[1])
    return request


def test_each_key_may_do_what_its_scopes_and_models_say(play, keys, status):
    async def scenario(server):
        async with grpc.aio.insecure_channel(server.addresses.calls) as channel:
            typed, open_inference = pb_grpc.StropStub(channel), oip_grpc.GRPCInferenceServiceStub(channel)

            async def ask(method, request, *who):
                return (await status(method(request, metadata=shown(*who) if who else ())))[0]

            for method, request in (
                (typed.Classify, REQUEST),
                (open_inference.ModelInfer, infer()),
                (open_inference.ModelMetadata, oip.ModelMetadataRequest(name="tiny")),
            ):
                assert await ask(method, request) is UNAUTHENTICATED
                assert await ask(method, request, "shop", "wrong") is UNAUTHENTICATED
                assert await ask(method, request, "nobody") is UNAUTHENTICATED
                assert await ask(method, request, "boss") is DENIED
                assert await ask(method, request, "prometheus") is DENIED
                assert await ask(method, request, "shop") is OK
            other_header = (("x-api-key", "shop.secret-of-shop"),)
            assert (await status(typed.Classify(REQUEST, metadata=other_header)))[0] is OK
            for method, request in (
                (open_inference.RepositoryIndex, oip.RepositoryIndexRequest()),
                (open_inference.ModelStatistics, oip.ModelStatisticsRequest()),
                (open_inference.RepositoryModelLoad, oip.RepositoryModelLoadRequest(model_name="x")),
                (open_inference.RepositoryModelUnload, oip.RepositoryModelUnloadRequest(model_name="x")),
            ):
                assert await ask(method, request, "shop") is DENIED
                assert await ask(method, request, "boss") not in (DENIED, UNAUTHENTICATED)
            # A key for one other model may not ask this one, nor learn of it, nor have it loaded.
            assert await ask(open_inference.ModelInfer, infer(), "other") is DENIED
            named = pb.ClassifyRequest(texts=["a"], model="tiny")
            assert await ask(typed.Classify, named, "other") is DENIED
            assert await ask(typed.Classify, REQUEST, "other") is grpc.StatusCode.NOT_FOUND

    play(scenario, keys=keys)


def test_health_is_open_and_reflection_takes_any_key(play, keys, status):
    async def scenario(server):
        async with grpc.aio.insecure_channel(server.addresses.calls) as channel:
            check = health_pb2_grpc.HealthStub(channel).Check
            assert (await check(health_pb2.HealthCheckRequest())).status == 1
            open_inference = oip_grpc.GRPCInferenceServiceStub(channel)
            assert (await open_inference.ServerReady(oip.ServerReadyRequest())).ready
            ask = reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo
            request = reflection_pb2.ServerReflectionRequest(list_services="")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await anext(aiter(ask(iter([request]))))
            assert refused.value.code() is UNAUTHENTICATED
            reply = await anext(aiter(ask(iter([request]), metadata=shown("prometheus"))))
            assert "strop.v1.Strop" in [one.name for one in reply.list_services_response.service]

    play(scenario, keys=keys)


def test_a_refused_request_is_never_parsed_and_a_refused_stream_never_read(play, keys, status):
    async def scenario(server):
        async with grpc.aio.insecure_channel(server.addresses.calls) as channel:
            code, _ = await status(channel.unary_unary("/strop.v1.Strop/Classify")(b"\xff\xff"))
            assert code is UNAUTHENTICATED
            call = pb_grpc.StropStub(channel).ClassifyStream()
            assert await call.code() is UNAUTHENTICATED

    play(scenario, keys=keys)


def test_a_key_that_is_taken_out_of_the_file_ends_even_on_an_open_stream(play, keys):
    async def scenario(server):
        async with grpc.aio.insecure_channel(server.addresses.calls) as channel:
            call = pb_grpc.StropStub(channel).ClassifyStream(metadata=shown("shop"))
            message = pb.ClassifyStreamRequest(id="1", request=REQUEST)
            await call.write(message)
            assert (await call.read()).HasField("response")
            keys.write_text(entry("another"))
            async with asyncio.timeout(10):
                while True:
                    await call.write(message)
                    if (reply := await call.read()).HasField("failure"):
                        break
            assert reply.failure.code == UNAUTHENTICATED.value[0]

    play(scenario, keys=keys)


def test_a_quota_is_refused_with_the_time_to_wait(play, keys, status):
    async def scenario(server):
        async with grpc.aio.insecure_channel(server.addresses.calls) as channel:
            ask = pb_grpc.StropStub(channel).Classify
            await ask(pb.ClassifyRequest(texts=["a"] * 8), metadata=shown("slow"))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await ask(REQUEST, metadata=shown("slow"))
            assert refused.value.code() is EXHAUSTED
            assert "texts a second are used up" in refused.value.details()
            wait = int(dict(refused.value.trailing_metadata())["grpc-retry-pushback-ms"])
            assert 0 < wait <= 3000
            await ask(REQUEST, metadata=shown("dear"))
            code, details = await status(ask(REQUEST, metadata=shown("dear")))
            assert code is EXHAUSTED
            assert "dollars of today" in details
            assert (await status(ask(REQUEST, metadata=shown("shop"))))[0] is OK
            shed = server.metrics.registry.get_sample_value("strop_shed_total", {"reason": "quota"})
            assert shed == 2

    play(scenario, keys=keys)


def test_admin_calls_are_taken_at_their_own_address_alone(play, status):
    async def scenario(server):
        request = oip.RepositoryIndexRequest()
        async with (
            grpc.aio.insecure_channel(server.addresses.calls) as calls,
            grpc.aio.insecure_channel(server.addresses.admin) as admin,
        ):
            code, details = await status(oip_grpc.GRPCInferenceServiceStub(calls).RepositoryIndex(request))
            assert code is DENIED
            assert "--admin-address" in details
            assert (await status(pb_grpc.StropStub(calls).Classify(REQUEST)))[0] is OK
            index = await oip_grpc.GRPCInferenceServiceStub(admin).RepositoryIndex(request)
            assert [one.name for one in index.models] == ["tiny"]

    play(scenario, admin_address="127.0.0.1:0")


def secure(address, authority, files=None):
    certificate, key = (path.read_bytes() for path in files) if files else (None, None)
    trusted = grpc.ssl_channel_credentials(authority.file.read_bytes(), key, certificate)
    options = [("grpc.use_local_subchannel_pool", 1)]
    return grpc.aio.secure_channel(address, trusted, options=options)


def test_a_client_certificate_s_name_stands_for_a_key_and_without_one_nobody_connects(
    play, authority, keys, status
):
    certificate, key = authority.issue("server")

    async def scenario(server):
        address = server.addresses.calls
        async with secure(address, authority, authority.issue("device-7")) as channel:
            assert (await status(pb_grpc.StropStub(channel).Classify(REQUEST)))[0] is OK
        async with secure(address, authority, authority.issue("stranger")) as channel:
            assert (await status(pb_grpc.StropStub(channel).Classify(REQUEST)))[0] is UNAUTHENTICATED
        for channel in (secure(address, authority), grpc.aio.insecure_channel(address)):
            async with channel:
                code, _ = await status(pb_grpc.StropStub(channel).Classify(REQUEST, timeout=10))
                assert code is UNAVAILABLE

    play(scenario, keys=keys, tls_certificate=certificate, tls_key=key, tls_client_ca=authority.file)


def presented(address: str, authority) -> bytes:
    """The certificate that a server shows now, in PEM."""
    host, _, port = address.rpartition(":")
    return ssl.get_server_certificate((host, int(port)), ca_certs=str(authority.file)).encode()


def test_exchanged_certificates_are_used_for_the_next_connection_and_half_a_pair_never(
    play, authority, tmp_path, status, caplog
):
    certificate, key = authority.issue("one", tmp_path / "server")

    async def scenario(server):
        address = server.addresses.calls
        async with secure(address, authority) as old:
            assert (await status(pb_grpc.StropStub(old).Classify(REQUEST)))[0] is OK
            first = certificate.read_bytes()
            assert await asyncio.to_thread(presented, address, authority) == first
            second, second_key = authority.issue("two")
            certificate.write_bytes(second.read_bytes())
            async with asyncio.timeout(10):
                while "can't be used" not in caplog.text:  # its key is still the old one's
                    assert await asyncio.to_thread(presented, address, authority) == first
            key.write_bytes(second_key.read_bytes())
            async with asyncio.timeout(10):
                while await asyncio.to_thread(presented, address, authority) != second.read_bytes():
                    await asyncio.sleep(0.05)
            async with secure(address, authority) as new:
                assert (await status(pb_grpc.StropStub(new).Classify(REQUEST)))[0] is OK
            assert (await status(pb_grpc.StropStub(old).Classify(REQUEST)))[0] is OK

    play(scenario, tls_certificate=certificate, tls_key=key)


def test_the_metrics_page_speaks_tls_to_keys_of_its_scope(authority, keys, tmp_path):
    certificate, key = authority.issue("page")
    config = ServeConfig(
        str(tmp_path), keys=keys, tls_certificate=certificate, tls_key=key, dollars_per_hour=1
    )
    doors, registry = Doors.of(config), CollectorRegistry()
    Counter("told", "Something", registry=registry)
    page = MetricsPage(registry, "127.0.0.1:0", lambda app: app, doors.certificates, doors.keys)
    trusted = ssl.create_default_context(cafile=str(authority.file))

    def read(**headers: str) -> tuple[int, str]:
        request = urllib.request.Request(f"https://{page.address}/metrics", headers=headers)
        try:
            with urllib.request.urlopen(request, context=trusted) as reply:
                return reply.status, reply.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    with contextlib.closing(page):
        assert read()[0] == 401
        assert read(Authorization="Bearer prometheus.wrong")[0] == 401
        assert read(Authorization="Bearer shop.secret-of-shop")[0] == 403
        code, told = read(Authorization="Bearer prometheus.secret-of-prometheus")
        assert (code, "told_total 0.0" in told) == (200, True)
        # As a browser sends what its user typed.
        typed = base64.b64encode(b"any:prometheus.secret-of-prometheus").decode()
        assert read(Authorization=f"Basic {typed}")[0] == 200
        for wrong in ("Basic !", "Basic", f"Basic {base64.b64encode(b'any:wrong').decode()}"):
            assert read(Authorization=wrong)[0] == 401
        # Whoever connects and says nothing holds up nobody else.
        host, _, port = page.address.rpartition(":")
        with socket.create_connection((host, int(port))):
            assert read(Authorization="Bearer prometheus.secret-of-prometheus")[0] == 200


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"console_try": True, "keys": Path("keys.toml")}, "--console-try asks without a key"),
        ({"address": "0.0.0.0:1"}, "--address 0.0.0.0:1 can be reached from other machines without TLS"),
        ({"metrics_address": "10.0.0.1:1"}, "--metrics-address 10.0.0.1:1 can be reached"),
        ({"address": "box:1", "keys": Path("k")}, "without TLS"),
        (
            {"address": "[::]:1", "tls_certificate": Path("c"), "tls_key": Path("k")},
            "without a lock (--keys, or --tls-client-ca); give them, or --insecure-listen",
        ),
        ({"tls_key": Path("k")}, "--tls-certificate and --tls-key go together"),
        ({"tls_client_ca": Path("k")}, "--tls-client-ca needs --tls-certificate"),
        ({"log_texts": True}, "--log-texts is for --access-log"),
        ({"admin_address": "here"}, "--admin-address: 'here' is not host:port"),
        ({"admin_address": "127.0.0.1:1", "workers": 2}, "reaches one worker alone"),
    ],
)
def test_an_open_door_must_be_asked_for(options, message):
    with pytest.raises(InputError) as refused:
        ServeConfig("bundle", **options)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {"address": "localhost:1"},
        {"address": "[::1]:1", "metrics_address": "127.9.9.9:1"},
        {"address": "0.0.0.0:1", "insecure_listen": True},
        {
            "address": "0.0.0.0:1",
            "keys": Path("k"),
            "tls_certificate": Path("c"),
            "tls_key": Path("k"),
        },
    ],
)
def test_what_is_locked_or_this_machine_s_alone_needs_no_word(options):
    config = ServeConfig("bundle", **options)
    assert bool(config.unlocked) is config.insecure_listen


def test_files_that_are_no_certificate_and_its_key_are_named(authority, tmp_path):
    (certificate, _), (_, other_key) = authority.issue("a"), authority.issue("b")
    nothing = tmp_path / "nothing.pem"
    nothing.write_text("nothing")
    for files in (
        (certificate, other_key, None),
        (nothing, other_key, None),
        (tmp_path / "no", nothing, None),
    ):
        with pytest.raises(InputError, match=r"--tls-certificate .* can't be used"):
            Certificates.read(*files)
    with pytest.raises(InputError, match=r"--tls-client-ca .* can't be used"):
        Certificates.read(*authority.issue("c"), nothing)
