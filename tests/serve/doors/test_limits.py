"""What one connection may send and hold, over real gRPC."""

import asyncio
import contextlib
import socket

import grpc

from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc
from strop.serve.wire.stream import UNDER_WAY

INVALID, ABORTED = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.ABORTED
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
PING = bytes([0, 0, 8, 6, 0, 0, 0, 0, 0]) + bytes(8)
GOAWAY = 7


def test_too_many_texts_and_too_long_ones_are_refused_by_both_apis(play, status):
    async def scenario(server):
        async with grpc.aio.insecure_channel(server.addresses.calls) as channel:
            typed, open_inference = pb_grpc.StropStub(channel), oip_grpc.GRPCInferenceServiceStub(channel)

            def infer(name, datatype, shape, **contents):
                request = oip.ModelInferRequest(model_name="tiny")
                tensor = request.inputs.add(name=name, datatype=datatype, shape=shape)
                for field, values in contents.items():
                    getattr(tensor.contents, field).extend(values)
                return open_inference.ModelInfer(request)

            texts, long, rows = "3 texts in one call are too many", "text 1 has 9", "rows of 9 tokens"
            for call, message in (
                (typed.Classify(pb.ClassifyRequest(texts=["a"] * 3)), texts),
                (infer("text", "BYTES", [3], bytes_contents=[b"a"] * 3), texts),
                (typed.Classify(pb.ClassifyRequest(texts=["a", "b" * 9])), long),
                (infer("text", "BYTES", [2], bytes_contents=[b"a", b"b" * 9]), long),
                (infer("input_ids", "INT64", [1, 9], int64_contents=[4] * 9), rows),
            ):
                code, details = await status(call)
                assert code is INVALID
                assert message in details
            assert (await status(typed.Classify(pb.ClassifyRequest(texts=["a", "b" * 8]))))[0].name == "OK"

    play(scenario, max_texts=2, max_characters=8)


def test_a_message_beyond_the_limit_is_refused_before_it_is_read(play, status):
    async def scenario(server):
        async with grpc.aio.insecure_channel(server.addresses.calls) as channel:
            code, _ = await status(
                pb_grpc.StropStub(channel).Classify(pb.ClassifyRequest(texts=["a" * 2000]))
            )
            assert code is grpc.StatusCode.RESOURCE_EXHAUSTED

    play(scenario, max_message_bytes=1000)


def test_a_stream_that_falls_silent_is_cut_off(play, status):
    async def scenario(server):
        async with grpc.aio.insecure_channel(server.addresses.calls) as channel:
            call = pb_grpc.StropStub(channel).ClassifyStream()
            await call.write(pb.ClassifyStreamRequest(request=pb.ClassifyRequest(texts=["good"])))
            assert (await call.read()).HasField("response")
            assert await call.code() is ABORTED
            assert "neither sent nor read" in await call.details()

    play(scenario, stream_idle_seconds=0.3)


def test_a_stream_whose_replies_nobody_reads_is_cut_off(play):
    async def scenario(server):
        window = [("grpc.http2.lookahead_bytes", 1024), ("grpc.http2.bdp_probe", 0)]
        async with grpc.aio.insecure_channel(server.addresses.calls, options=window) as channel:
            call = pb_grpc.StropStub(channel).ClassifyStream()
            message = pb.ClassifyStreamRequest(request=pb.ClassifyRequest(texts=["good"] * 100, top_k=0))

            def answered():
                # Whatever became of each: there may be too much for the queue at once.
                return sum(
                    sample.value
                    for family in server.metrics.registry.collect()
                    for sample in family.samples
                    if sample.name == "strop_request_seconds_count"
                    and sample.labels["method"] == "ClassifyStream"
                )

            for _ in range(UNDER_WAY):
                await call.write(message)
            while answered() < UNDER_WAY:
                await asyncio.sleep(0.01)
            await asyncio.sleep(1.3)  # longer than it may idle
            read = 0
            with contextlib.suppress(grpc.aio.AioRpcError):
                while await call.read() is not grpc.aio.EOF:
                    read += 1
            assert await call.code() is ABORTED
            assert 0 < read < UNDER_WAY  # the rest was let go

    play(scenario, stream_idle_seconds=1.0)


def test_a_connection_is_told_to_go_when_it_is_old(play):
    async def scenario(server):
        host, _, port = server.addresses.calls.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(PREFACE)
        async with asyncio.timeout(10):
            frames = b""
            while bytes([GOAWAY]) not in types(frames):
                frames += await reader.read(4096)
        writer.close()

    play(scenario, connection_age_seconds=0.2)


def test_whoever_pings_without_end_is_cut_off(play):
    async def scenario(server):
        host, _, port = server.addresses.calls.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(PREFACE + PING * 4)
        async with asyncio.timeout(10):
            frames = await reader.read(-1)  # to its end: the server closed the connection
        writer.close()
        assert b"too_many_pings" in frames

    play(scenario)


def test_a_client_is_told_how_many_calls_it_may_have_under_way(play):
    async def scenario(server):
        host, _, port = server.addresses.calls.rpartition(":")
        with socket.create_connection((host, int(port))) as raw:
            raw.setblocking(False)
            loop = asyncio.get_running_loop()
            await loop.sock_sendall(raw, PREFACE)
            frames = await loop.sock_recv(raw, 4096)
        size = int.from_bytes(frames[:3])
        settings = {
            int.from_bytes(frames[at : at + 2]): int.from_bytes(frames[at + 2 : at + 6])
            for at in range(9, 9 + size, 6)
        }
        assert settings[3] == 7  # SETTINGS_MAX_CONCURRENT_STREAMS, RFC 9113 section 6.5.2

    play(scenario, max_streams=7)


def types(frames: bytes) -> bytes:
    """The types of the whole frames so far."""
    found, at = [], 0
    while at + 9 <= len(frames):
        found.append(frames[at + 3])
        at += 9 + int.from_bytes(frames[at : at + 3])
    return bytes(found)
