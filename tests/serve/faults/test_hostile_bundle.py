"""Bundles by somebody who means harm: refused by the file's name and the fix, before anything is run."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from strop.errors import StropError
from strop.export.bundle import GoldenExample, Session
from strop.export.bundle.files import file_entry
from strop.export.bundle.golden import write_golden
from strop.export.bundle.graph import DATA_LOCATION, EXTERNAL_DATA, WITHIN, require_whole
from strop.serve.config import ServeConfig
from strop.serve.inference.model import Model

GRAPH = "variants/fp32/model.onnx"


@pytest.fixture
def spoilt(tiny_bundle: Path, tmp_path: Path) -> Path:
    """A copy that a test may spoil."""
    return Path(shutil.copytree(tiny_bundle, tmp_path / "spoilt"))


def change(root: Path, alter: Callable[[dict[str, Any]], None]) -> None:
    fields = json.loads((root / "manifest.json").read_text())
    alter(fields)
    (root / "manifest.json").write_text(json.dumps(fields))


def reseal(root: Path) -> None:
    """Give the manifest the checksums of the files as they are: its author can do that, too."""

    def entries(fields: dict[str, Any]) -> None:
        fields["files"] = {name: vars(file_entry(root / name)) for name in fields["files"]}

    change(root, entries)


def refusal(root: Path) -> str:
    with pytest.raises(StropError) as refused:
        Model.load(root, ServeConfig(str(root)))
    message = str(refused.value)
    assert "\n" not in message
    assert ";" in message
    return message


def put(*path: str | int, value: Any) -> Callable[[dict[str, Any]], None]:
    def alter(fields: Any) -> None:
        for key in path[:-1]:
            fields = fields[key]
        fields[path[-1]] = value

    return alter


ENTRY = {"sha256": "0" * 64, "bytes": 1}


@pytest.mark.parametrize(
    ("alter", "message"),
    [
        (put("files", "../secret", value=ENTRY), "file '../secret' lies outside the bundle"),
        (put("files", "/etc/passwd", value=ENTRY), "file '/etc/passwd' lies outside the bundle"),
        (put("files", "a\0b", value=ENTRY), "is no plain path"),
        (put("files", "a/./b", value=ENTRY), "is no plain path"),
        (put("files", "a" * 5000, value=ENTRY), "File name too long"),
        (put("variants", 0, "file", value="../../model.onnx"), "lies outside the bundle"),
        (put("variants", 0, "file", value="variants/fp32/model.ort"), "should end in .onnx"),
        (
            put("variants", 0, "bytes", value="many"),
            "variants[0].bytes is 'many' and should be a whole number",
        ),
        (put("variants", 0, "golden_tolerance", value=float("inf")), "golden_tolerance is inf"),
        (put("variants", 0, "layout", "alignment", value=0), "alignment is 0 and should be 1 to 1024"),
        (put("variants", 0, "layout", "alignment", value=10**9), "alignment is 1000000000"),
        (put("variants", 0, "layout", "pad_token_id", value=-1), "pad_token_id is -1"),
        (put("variants", value=[]), "default_variant is 'fp32' and no variant is called so"),
        (put("layout\n", value=8), "it has 'layout\\n', which is not known"),
        (put("max_tokens", value=10**9), "max_tokens is 1000000000 and should be 1 to 131072"),
        (put("max_tokens", value=True), "max_tokens is True and should be a whole number"),
        (put("labels", value=["a", "b", "a"]), "labels has 'a' twice"),
        (put("labels", value=["a", "b", "\ud800"]), "labels[2] has half a surrogate pair"),
        (put("name", value="\x1b[2J"), "name is '\\x1b[2J' and should be without '\\x1b'"),
        (put("name", value="a" * 1000), "name has 1000 characters"),
        (
            put("task", value=["text-classification"]),
            "task is ['text-classification'] and should be a text",
        ),
    ],
)
def test_a_manifest_that_can_not_be_is_refused_by_the_field(
    spoilt: Path, alter: Callable[[dict[str, Any]], None], message: str
) -> None:
    change(spoilt, alter)
    assert message in refusal(spoilt)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b'{"schema": ' + b"[" * 10**5, "nests too deep"),
        (b'{"name": "a", "name": "b"}', "'name' stands twice in an object"),
        (b'{"name": "\xff"}', "can't decode byte 0xff"),
        (b"[" * 3 + b"]" * 3, "it is no JSON object"),
    ],
    ids=["deep", "twice", "not UTF-8", "a list"],
)
def test_a_manifest_that_is_none_is_refused(spoilt: Path, content: bytes, message: str) -> None:
    (spoilt / "manifest.json").write_bytes(content)
    assert message in refusal(spoilt)


@pytest.mark.parametrize("name", ["manifest.json", "tokenizer.json", "golden.jsonl", GRAPH])
def test_a_file_larger_than_it_may_be_is_not_read(spoilt: Path, name: str) -> None:
    os.truncate(spoilt / name, 2**40)  # without taking room: a hole
    message = refusal(spoilt)
    assert str(spoilt / name) in message
    assert f"{2**40} bytes" in message


@pytest.mark.parametrize("name", ["tokenizer.json", "variants"])
def test_a_link_that_leads_out_is_refused(spoilt: Path, tiny_bundle: Path, name: str) -> None:
    place = spoilt / name
    shutil.rmtree(place) if place.is_dir() else place.unlink()
    place.symlink_to(tiny_bundle / name)
    message = refusal(spoilt)
    assert name in message
    assert "lies outside the bundle" in message


def test_a_link_to_itself_is_refused(spoilt: Path) -> None:
    (spoilt / "tokenizer.json").unlink()
    (spoilt / "tokenizer.json").symlink_to("tokenizer.json")
    assert "'tokenizer.json' in" in refusal(spoilt)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "a", "output": [NaN, 0, 1]}', "output should be finite numbers"),
        ('{"text": "a", "output": [1e400, 0, 1]}', "output should be finite numbers"),
        ('{"text": "a", "output": [[1, 2], [3]]}', "golden.jsonl line 1: "),
        ('{"text": "a", "output": {"a": 1}}', "output should be numbers"),
        ('{"text": 7, "output": [1, 0, 0]}', "text should be a text or a pair of them"),
        ('{"text": "\\ud800", "output": [1, 0, 0]}', "surrogates not allowed"),
        ('{"text": "a", "window": -1, "output": [1, 0, 0]}', "window is -1 and should be"),
        (
            '{"text": "a", "window": 9, "output": [1, 0, 0]}',
            "golden example 1 is of window 9, and its text has 1",
        ),
        ('{"text": "a", "output": [1, 0]}', "gives outputs of shape [3] where"),
        ("[" * 10**5, "nests too deep"),
        ("{}", "it should be an object with text and output"),
    ],
)
def test_golden_examples_that_can_not_be_are_refused(spoilt: Path, line: str, message: str) -> None:
    (spoilt / "golden.jsonl").write_text(line)
    reseal(spoilt)
    assert message in refusal(spoilt)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        # The library panics on a special token that its template names and nobody defines.
        (
            '{"SpecialToken": {"id": "[SEP]"',
            '{"SpecialToken": {"id": "[NO]"',
            "the tokenizer panicked",
        ),
        ('"not": 8', '"not": 2147483648', "has token id 2147483648 and the largest may be 16777215"),
        ('"unk_token": "[UNK]"', '"unk_token": "[NO]"', "can't tokenise every text"),
        ('"Whitespace"', '"Nothing"', "is not a tokenizer.json"),
        ('"normalizer": null', '"normalizer": ' + "[" * 10**5, "is not a tokenizer.json"),
        ('"good": 4', '"good": 4000', "can't compute the golden examples"),
    ],
    ids=["panic", "endless ids", "no unknown", "unknown part", "deep", "ids past the table"],
)
def test_a_tokenizer_that_can_not_be_is_refused(spoilt: Path, old: str, new: str, message: str) -> None:
    path = spoilt / "tokenizer.json"
    text = json.dumps(json.loads(path.read_text()))
    assert old in text
    path.write_text(text.replace(old, new))
    reseal(spoilt)
    assert message in refusal(spoilt)


def test_a_tokenizer_that_makes_nothing_of_nothing_is_refused(spoilt: Path) -> None:
    path = spoilt / "tokenizer.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"post_processor": None}))
    reseal(spoilt)
    assert "makes no token of an empty text" in refusal(spoilt)


def elsewhere(name: str = "stolen") -> TensorProto:
    tensor = TensorProto(
        name=name, data_type=TensorProto.UINT8, dims=[4], data_location=TensorProto.EXTERNAL
    )
    tensor.external_data.add(key="location", value="../../tokenizer.json")
    return tensor


def spoil_initializer(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(elsewhere())


def spoil_unmarked(model: onnx.ModelProto) -> None:
    tensor = elsewhere()
    tensor.ClearField("data_location")
    model.graph.initializer.append(tensor)


def spoil_constant(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Constant", [], ["stolen"], value=elsewhere()))


def spoil_branch(model: onnx.ModelProto) -> None:
    loop = next(node for node in model.graph.node if node.op_type == "Loop")
    loop.attribute[0].g.initializer.append(elsewhere())


def spoil_function(model: onnx.ModelProto) -> None:
    node = helper.make_node("Constant", [], ["stolen"], value=elsewhere())
    function = helper.make_function("own", "Steal", [], ["stolen"], [node], [helper.make_opsetid("", 18)])
    model.functions.append(function)


def spoil_sparse(model: onnx.ModelProto) -> None:
    sparse = model.graph.sparse_initializer.add(dims=[4])
    sparse.values.CopyFrom(elsewhere())


@pytest.mark.parametrize(
    "spoil",
    [spoil_initializer, spoil_unmarked, spoil_constant, spoil_branch, spoil_function, spoil_sparse],
    ids=lambda one: one.__name__,
)
def test_a_graph_that_takes_data_from_another_file_is_refused_before_it_is_loaded(
    spoilt: Path, spoil: Callable[[onnx.ModelProto], None]
) -> None:
    model = onnx.load(spoilt / GRAPH)
    spoil(model)
    (spoilt / GRAPH).write_bytes(model.SerializeToString())
    reseal(spoilt)
    message = refusal(spoilt)
    assert message == (
        f"{spoilt / GRAPH} is not a graph that is served: a tensor's data is in another file;"
        " export the run again"
    )


def test_a_graph_that_says_it_holds_its_data_itself_is_taken(spoilt: Path) -> None:
    model = onnx.load(spoilt / GRAPH)
    for tensor in model.graph.initializer:  # as other exporters write it
        tensor.data_location = TensorProto.DEFAULT
    (spoilt / GRAPH).write_bytes(model.SerializeToString())
    require_whole(spoilt / GRAPH)


def test_the_way_to_a_tensor_is_that_of_onnx_proto() -> None:
    for name, inner in WITHIN.items():
        fields = getattr(onnx, name).DESCRIPTOR.fields
        messages = {
            field.number: field.message_type.name for field in fields if field.message_type is not None
        }
        assert inner == {number: one for number, one in messages.items() if one in WITHIN}
    numbers = onnx.TensorProto.DESCRIPTOR.fields_by_name
    assert (numbers["external_data"].number, numbers["data_location"].number) == (
        EXTERNAL_DATA,
        DATA_LOCATION,
    )


def spoil_huge(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(TensorProto(name="huge", data_type=1, dims=[2**40, 2**20]))
    model.graph.node.append(helper.make_node("ReduceMax", ["huge"], ["most"]))
    model.graph.output.append(helper.make_tensor_value_info("most", TensorProto.FLOAT, None))


def spoil_custom(model: onnx.ModelProto) -> None:
    model.graph.node.append(helper.make_node("Evil", ["logits"], ["more"], domain="evil"))


def spoil_output(model: onnx.ModelProto) -> None:
    model.graph.output[0].name = "values"


def spoil_bomb(model: onnx.ModelProto) -> None:
    shape = numpy_helper.from_array(np.array([2**20, 2**20, 2**10], np.int64), "endless")
    model.graph.initializer.append(shape)
    value = helper.make_tensor("value", TensorProto.FLOAT, [1], [0])
    model.graph.node.append(helper.make_node("ConstantOfShape", ["endless"], ["bomb"], value=value))
    last = next(node for node in model.graph.node if "logits" in node.output)
    last.output[0] = "before"
    model.graph.node.append(helper.make_node("ReduceMax", ["bomb"], ["most"], keepdims=0))
    model.graph.node.append(helper.make_node("Add", ["before", "most"], ["logits"]))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (spoil_huge, "the model needs about 6,917,529,027,651 MB"),
        (spoil_custom, "can't be opened on CPUExecutionProvider"),
        (spoil_output, "can't compute the golden examples"),
        (spoil_bomb, "can't compute the golden examples"),
    ],
    ids=lambda one: getattr(one, "__name__", None),
)
def test_a_graph_that_can_not_run_is_refused_in_one_line(
    spoilt: Path, spoil: Callable[[onnx.ModelProto], None], message: str
) -> None:
    model = onnx.load(spoilt / GRAPH)
    spoil(model)
    (spoilt / GRAPH).write_bytes(model.SerializeToString())
    reseal(spoilt)
    assert message in refusal(spoilt)


@pytest.mark.parametrize(
    "content", [b"", b"no graph", b"\x3a\xff\xff\xff\xff\x0f", b"\xff" * 20, b"\x3b"], ids=repr
)
def test_what_is_no_graph_is_refused_before_it_is_loaded(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    with pytest.raises(StropError, match="is not a graph that is served: "):
        require_whole(path)


def test_golden_examples_of_another_graph_are_no_crash(spoilt: Path) -> None:
    write_golden(spoilt / "golden.jsonl", [GoldenExample(("a", "pair"), np.zeros(3, np.float32))])
    reseal(spoilt)
    assert "is off by" in refusal(spoilt)
    assert Session(spoilt / GRAPH).width == 3
