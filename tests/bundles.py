"""Bundles of a made-up model that honours the packed contract, written in milliseconds."""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
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
