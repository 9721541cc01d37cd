"""Triton's own clients, unmodified, against a running server."""

import base64
import json
import platform
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.descriptor_pool import DescriptorPool

from strop.environment import Environment
from strop.proto import open_inference_pb2 as oip

SCRIPT = Path(__file__).with_name("triton_client.py")
CHECKS = re.findall(r"^def (check_\w+)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
PERF_ANALYZER_LIBC = (2, 38)
"""The glibc that its wheel is built for."""


@pytest.fixture(scope="module")
def found(environment: Callable[..., Environment], server: Any, slow_server: Any) -> dict[str, Any]:
    """What the script printed: how each check went, and the client's descriptors."""
    python = environment("tritonclient[grpc]==2.73.0").python
    done = subprocess.run(
        [python, SCRIPT, server.address, slow_server.address],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    result: dict[str, Any] = json.loads(done.stdout)
    return result


@pytest.mark.parametrize("check", CHECKS)
def test_tritonclient_is_served(found: dict[str, Any], check: str) -> None:
    assert found["checks"].pop(check) is None


def test_a_cancelled_request_is_not_computed_to_its_end(
    found: dict[str, Any], slow_server: Any, until: Callable[[Callable[[], Any]], Any]
) -> None:
    assert found
    # Requests of a thousand texts that were cancelled or came to their deadline: minutes of work.
    for gauge in ("strop_queue_texts", "strop_in_flight_requests"):
        until(lambda gauge=gauge: slow_server.metric(gauge) == 0)


def same_fields(ours: Descriptor, theirs: Descriptor) -> None:
    for field in ours.fields:
        assert same_kind(field, theirs.fields_by_name[field.name]), field.full_name
    for nested in ours.nested_types:
        same_fields(nested, theirs.nested_types_by_name[nested.name])
    for enum in ours.enum_types:
        same_values(enum, theirs.enum_types_by_name[enum.name])


def same_kind(ours: FieldDescriptor, theirs: FieldDescriptor) -> bool:
    def facts(field: FieldDescriptor) -> tuple[Any, ...]:
        types = [kind.full_name for kind in (field.message_type, field.enum_type) if kind]
        oneof = field.containing_oneof.name if field.containing_oneof else None
        return field.number, field.type, field.is_repeated, types, oneof

    return facts(ours) == facts(theirs)


def same_values(ours: EnumDescriptor, theirs: EnumDescriptor) -> None:
    for value in ours.values:
        assert value.number == theirs.values_by_name[value.name].number, value.name


def test_every_declared_field_is_triton_s(found: dict[str, Any]) -> None:
    pool = DescriptorPool()
    for file in found["descriptors"]:
        pool.AddSerializedFile(base64.b64decode(file))
    for message in oip.DESCRIPTOR.message_types_by_name.values():
        same_fields(message, pool.FindMessageTypeByName(message.full_name))
    for enum in oip.DESCRIPTOR.enum_types_by_name.values():
        same_values(enum, pool.FindEnumTypeByName(enum.full_name))
    for service in oip.DESCRIPTOR.services_by_name.values():
        theirs = pool.FindServiceByName(service.full_name).methods_by_name
        for method in service.methods:
            other = theirs[method.name]
            assert method.input_type.full_name == other.input_type.full_name
            assert method.output_type.full_name == other.output_type.full_name
            assert method.client_streaming == other.client_streaming
            assert method.server_streaming == other.server_streaming


@pytest.mark.parametrize("options", [(), ("--streaming",)], ids=["unary", "streaming"])
def test_perf_analyzer_measures_the_server(
    environment: Callable[..., Environment], server: Any, options: tuple[str, ...]
) -> None:
    name, version = platform.libc_ver()
    if name != "glibc" or tuple(map(int, version.split("."))) < PERF_ANALYZER_LIBC:
        pytest.skip(f"perf_analyzer needs glibc 2.38, and here is {name} {version}")
    folder = environment("perf-analyzer==2.60.0").folder
    (binary,) = folder.glob("lib/python*/site-packages/perf_analyzer/bin/perf_analyzer")
    load = ("--request-count", "50", "--concurrency-range", "4")
    data = ("--shape", "text:1", "--string-data", "good film")
    done = subprocess.run(
        [binary, "-m", "tiny", "-u", server.address, "-i", "grpc", *load, *data, *options],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"Inference count: 50\b", done.stdout), done.stdout
