"""Tiny bundles that honour the packed contract, and servers that run them."""

import json
import shutil
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from prometheus_client.parser import text_string_to_metric_families
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from tokenizers.processors import TemplateProcessing

from strop.export.bundle import GoldenExample, Manifest, PackedLayout, Session, TextEncoder, Variant
from strop.export.bundle.files import file_entry
from strop.export.bundle.golden import write_golden
from strop.tasks import softmax

LABELS = ("négatif", "neutral", "positive")
WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "good", "bad", "film", "very", "not", "a")
MAX_TOKENS = 32
LAYOUT = PackedLayout(alignment=8, first_position=0, pad_token_id=0)
GOLDEN_TEXTS = ("good film", "very bad", "", "a film", "not good not bad " * 20)
PROFILE = {
    "tokens": (4, 0, 0, 0, 0, 1, *[0] * 9),
    "unknown": (5, *[0] * 7),
    "label": (2, 1, 2),
    "confidence": (*[0] * 3, 1, 1, 0, 1, 1, 0, 0, 0, 1),
}
DEADLINE_SECONDS = 60.0


def write_tokenizer(path: Path) -> None:
    tokenizer = Tokenizer(
        WordLevel({word: number for number, word in enumerate(WORDS)}, unk_token="[UNK]")  # noqa: S106
    )
    tokenizer.pre_tokenizer = Whitespace()
    tokenizer.post_processor = TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.save(str(path))


def write_graph(path: Path, rounds: int, sign: int) -> None:
    """Logits of a segment: ``sign`` times the sum of its tokens' rows; ``rounds`` only take time."""
    # In 64ths, so that sums are exact and no answer depends on what shares its batch.
    table = sign * np.round(np.random.default_rng(7).normal(size=(len(WORDS), len(LABELS))) * 64) / 64
    tokens, slots, count = ["batch", "tokens"], ["rows", "slots"], ["sequences"]
    constants = {
        "table": table.astype(np.float32),
        "flat": np.array([-1], np.int64),
        "one": np.array(1, np.int64),
        "axis": np.array([1], np.int64),
        "ballast": np.full((256, 256), 1 / 256, np.float32),
        "rounds": np.array(rounds, np.int64),
        "go": np.array(True),
        "nothing": np.array(0, np.float32),
    }
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["body_go"], ["body_go_out"]),
            helper.make_node("MatMul", ["state", "ballast"], ["state_out"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("body_go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", TensorProto.FLOAT, [256, 256]),
        ],
        [
            helper.make_tensor_value_info("body_go_out", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state_out", TensorProto.FLOAT, [256, 256]),
        ],
    )
    nodes = [
        helper.make_node("Reshape", ["input_ids", "flat"], ["ids"]),
        helper.make_node("Reshape", ["slots", "flat"], ["slot_tokens"]),
        helper.make_node("Reshape", ["segment_ids", "flat"], ["slot_segments"]),
        helper.make_node("Gather", ["ids", "slot_tokens"], ["slot_ids"]),
        helper.make_node("Gather", ["table", "slot_ids"], ["values"]),
        helper.make_node("Size", ["starts"], ["n"]),
        helper.make_node("Add", ["n", "one"], ["end"]),
        helper.make_node("Range", ["one", "end", "one"], ["numbers"]),
        helper.make_node("Unsqueeze", ["numbers", "axis"], ["column"]),
        helper.make_node("Equal", ["column", "slot_segments"], ["inside"]),
        helper.make_node("Cast", ["inside"], ["mask"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["mask", "values"], ["sums"]),
        helper.make_node("Loop", ["rounds", "go", "ballast"], ["spent"], body=body),
        helper.make_node("ReduceMax", ["spent"], ["spent_max"], keepdims=0),
        helper.make_node("Mul", ["spent_max", "nothing"], ["no_change"]),
        helper.make_node("Add", ["sums", "no_change"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [
            helper.make_tensor_value_info("input_ids", TensorProto.INT64, tokens),
            helper.make_tensor_value_info("position_ids", TensorProto.INT64, tokens),
            helper.make_tensor_value_info("slots", TensorProto.INT64, slots),
            helper.make_tensor_value_info("segment_ids", TensorProto.INT64, slots),
            helper.make_tensor_value_info("places", TensorProto.INT64, tokens),
            helper.make_tensor_value_info("starts", TensorProto.INT64, count),
        ],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["sequences", len(LABELS)])],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, str(path))


def write_bundle(root: Path, rounds: int = 0, sign: int = 1) -> Path:
    """A bundle whose golden answers come from running it."""
    graph = root / "variants" / "fp32" / "model.onnx"
    graph.parent.mkdir(parents=True)
    write_graph(graph, rounds, sign)
    write_tokenizer(root / "tokenizer.json")
    encoder, session = TextEncoder(root / "tokenizer.json", MAX_TOKENS), Session(graph)
    sequences = [encoded.ids for encoded in encoder.encode(GOLDEN_TEXTS)]
    rows = softmax(session.run(LAYOUT.feeds(sequences)))
    examples = [GoldenExample(text, row) for text, row in zip(GOLDEN_TEXTS, rows, strict=True)]
    write_golden(root / "golden.jsonl", examples)
    write_manifest(root)
    return root


def write_manifest(root: Path) -> None:
    graph = "variants/fp32/model.onnx"
    variant = Variant(
        name="fp32",
        file=graph,
        layout=LAYOUT,
        provider="CPUExecutionProvider",
        bytes=(root / graph).stat().st_size,
        peak_bytes=0,
        metrics={"accuracy": 1.0, "macro_f1": 1.0, "agreement": 1.0},
        share_of_reference=1.0,
        share_interval=(1.0, 1.0),
        tokens_per_second=1e6,
        speedup=1.0,
        milliseconds_alone=1.0,
        golden_tolerance=1e-5,
    )
    manifest = Manifest(
        name="tiny",
        version="3",
        task="text-classification",
        labels=LABELS,
        pairs=False,
        token_types=False,
        max_tokens=MAX_TOKENS,
        default_variant="fp32",
        variants=(variant,),
        provenance={},
        files={name: file_entry(root / name) for name in (graph, "tokenizer.json", "golden.jsonl")},
        profile=PROFILE,
    )
    (root / "manifest.json").write_text(manifest.to_json(), encoding="utf-8")


@pytest.fixture(scope="session")
def tiny_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three labels, ten words, microseconds a batch."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "tiny")


@pytest.fixture(scope="session")
def slow_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same answers, at some tenths of a second a batch."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "slow", rounds=300)


@pytest.fixture(scope="session")
def contrary_bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny bundle's opposite: it likes what the other doesn't."""
    return write_bundle(tmp_path_factory.mktemp("bundles") / "contrary", sign=-1)


def until(condition: Callable[[], Any]) -> Any:
    """Wait for ``condition`` to be true and return what it gave; fails after a minute."""
    end = time.monotonic() + DEADLINE_SECONDS
    while not (result := condition()):
        assert time.monotonic() < end, "the condition never came true"
        time.sleep(0.005)
    return result


@dataclass
class RunningServer:
    """A ``strop serve`` process that is ready."""

    process: subprocess.Popen[bytes]
    address: str
    metrics_address: str
    output: Path
    errors: Path

    def metrics(self) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        """Every sample of the metrics page by name and labels."""
        with urllib.request.urlopen(f"http://{self.metrics_address}/metrics") as page:
            text = page.read().decode()
        return {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }

    def metric(self, name: str, **labels: str) -> float:
        """The sum of a metric's samples with these labels, whatever others they have."""
        found = [
            value
            for (sample, of), value in self.metrics().items()
            if sample == name and labels.items() <= dict(of).items()
        ]
        assert found, f"there is no {name} with {labels}"
        return sum(found)

    def signal(self) -> None:
        """What a supervisor sends."""
        self.process.send_signal(signal.SIGTERM)

    def exit_code(self) -> int:
        """Wait for the end."""
        return self.process.wait(DEADLINE_SECONDS)


def command(bundle: Path, *options: str) -> list[str]:
    """``strop serve``, on free ports unless the options say otherwise."""
    ports = [
        word
        for flag in ("--address", "--metrics-address")
        if flag not in options
        for word in (flag, "127.0.0.1:0")
    ]
    return [sys.executable, "-m", "strop", "serve", str(bundle), *ports, *options]


def start(folder: Path, bundle: Path, *options: str) -> RunningServer:
    ready, output, errors = folder / "ready.json", folder / "stdout", folder / "stderr"
    with output.open("wb") as out, errors.open("wb") as err:
        words = command(bundle, "--ready-file", str(ready), *options)
        process = subprocess.Popen(words, stdout=out, stderr=err)
    until(lambda: ready.exists() or process.poll() is not None)
    assert process.poll() is None, errors.read_text()
    found = json.loads(ready.read_text())
    assert found.pop("pid") == process.pid
    return RunningServer(process, output=output, errors=errors, **found)


Start = Callable[..., RunningServer]


@pytest.fixture
def start_server(tmp_path: Path) -> Iterator[Start]:
    """Starts servers and, whatever the test did, leaves none behind."""
    started: list[RunningServer] = []

    def start_one(bundle: Path, *options: str) -> RunningServer:
        folder = tmp_path / f"server-{len(started)}"
        folder.mkdir()
        started.append(start(folder, bundle, *options))
        return started[-1]

    yield start_one
    for server in started:
        server.process.kill()
        server.process.wait()


@pytest.fixture
def refuse_to_start() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs ``strop serve`` to its end, for what must not come up."""

    def run(bundle: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(bundle, *options),
            capture_output=True,
            text=True,
            timeout=DEADLINE_SECONDS,
            check=False,
        )

    return run


@pytest.fixture(scope="session")
def server(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server on the tiny bundle for every test that only asks."""
    running = start(tmp_path_factory.mktemp("server"), tiny_bundle)
    yield running
    running.signal()
    assert running.exit_code() == 0


@pytest.fixture(scope="session")
def slow_server(slow_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """One server that computes text by text, so that hundreds take it minutes."""
    running = start(tmp_path_factory.mktemp("slow_server"), slow_bundle, "--batch-tokens", "8")
    yield running
    running.signal()
    assert running.exit_code() == 0


@pytest.fixture(scope="session")
def trying(tiny_bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningServer]:
    """Two workers at a dollar a second, whose console has a box to try a text in."""
    options = ("--workers", "2", "--console-try", "--dollars-per-hour", "3600")
    running = start(tmp_path_factory.mktemp("trying"), tiny_bundle, *options)
    yield running
    running.signal()
    assert running.exit_code() == 0


@pytest.fixture(scope="session")
def channel(server: RunningServer) -> Iterator[grpc.Channel]:
    with grpc.insecure_channel(server.address) as channel:
        yield channel


@pytest.fixture(name="until")
def until_fixture() -> Callable[[Callable[[], Any]], Any]:
    return until


@pytest.fixture
def altered_bundle(tiny_bundle: Path, tmp_path: Path) -> Callable[[Callable[[Path], None]], Path]:
    """Copies the tiny bundle, changes it, and seals it again with the right checksums."""

    def alter(change: Callable[[Path], None]) -> Path:
        root = tmp_path / "altered"
        shutil.copytree(tiny_bundle, root)
        change(root)
        write_manifest(root)
        return root

    return alter
