"""The bundle on disk: whole, verified, refused by name."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from strop.errors import InputError
from strop.export.bundle import Bundle, GoldenExample, Manifest, PackedLayout, Variant
from strop.export.bundle.files import unlisted_files
from strop.export.bundle.golden import read_golden, write_golden
from strop.export.writer import seal
from strop.staging import staged

VARIANT = Variant(
    name="fp32",
    file="variants/fp32/model.onnx",
    layout=PackedLayout(alignment=8, first_position=0, pad_token_id=0),
    provider="CPUExecutionProvider",
    bytes=5,
    peak_bytes=0,
    metrics={"accuracy": 0.9},
    share_of_reference=1.0,
    share_interval=(1.0, 1.0),
    tokens_per_second=1000.0,
    speedup=1.0,
    milliseconds_alone=1.0,
    golden_tolerance=1e-3,
)
MANIFEST = Manifest(
    name="mood",
    version="1",
    task="text-classification",
    labels=("glad", "traurig"),
    pairs=False,
    token_types=False,
    max_tokens=64,
    default_variant="fp32",
    variants=(VARIANT,),
    provenance={"seed": 0},
    files={},
)

OTHERS = ("golden.jsonl", "tokenizer.json")


@pytest.fixture
def bundle(tmp_path):
    with staged(tmp_path / "mood") as stage:
        graph = stage / VARIANT.file
        graph.parent.mkdir(parents=True)
        graph.write_bytes(b"graph")
        for name in OTHERS:
            (stage / name).touch()
        seal(stage, MANIFEST)
    return tmp_path / "mood"


def test_a_manifest_survives_its_file(bundle):
    manifest = Bundle.open(bundle).manifest
    assert manifest.variants == (VARIANT,)
    assert manifest.labels == MANIFEST.labels
    assert set(manifest.files) == {VARIANT.file, *OTHERS}


def test_a_changed_byte_is_refused_by_the_file_s_name(bundle):
    (bundle / VARIANT.file).write_bytes(b"grapg")
    with pytest.raises(InputError, match=r"model\.onnx is not the file that was exported"):
        Bundle.open(bundle)


def test_a_missing_file_is_refused_by_name(bundle):
    (bundle / VARIANT.file).unlink()
    with pytest.raises(InputError, match=r"model\.onnx is missing"):
        Bundle.open(bundle)


def test_a_file_that_is_read_but_not_listed_is_refused(bundle):
    path = bundle / "manifest.json"
    fields = json.loads(path.read_text())
    del fields["files"]["tokenizer.json"]
    path.write_text(json.dumps(fields))
    with pytest.raises(InputError, match=r"tokenizer\.json is not in the manifest"):
        Bundle.open(bundle)


def test_a_folder_without_a_manifest_is_no_bundle(tmp_path):
    with pytest.raises(InputError, match=r"manifest\.json is missing"):
        Bundle.open(tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema": "strop.bundle/9"}, "its schema is 'strop.bundle/9'"),
        ({"files": {"../secret": {"sha256": "", "bytes": 0}}}, "lies outside the bundle"),
        ({"colour": "red"}, "colour"),
        ({"pooling": "cls"}, "pooling is 'cls': text-classification makes no vectors"),
        ({"pooling": "max"}, "pooling is 'max' and should be mean or cls"),
        (
            {"variants": [asdict(VARIANT)]},
            "layout's kind is None and this Strop reads packed, padded, masked",
        ),
    ],
)
def test_a_manifest_that_says_something_else_is_refused(bundle, change, message):
    path = bundle / "manifest.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InputError, match=message):
        Bundle.open(bundle)


@pytest.mark.parametrize(
    ("schema", "lacking"), [("strop.bundle/3", ("profile", "pooling")), ("strop.bundle/4", ("pooling",))]
)
def test_a_bundle_of_an_older_schema_lacks_some_fields_and_is_read_all_the_same(bundle, schema, lacking):
    path = bundle / "manifest.json"
    fields = json.loads(path.read_text()) | {"schema": schema, "task": "sentence-embedding"}
    path.write_text(json.dumps({name: value for name, value in fields.items() if name not in lacking}))
    opened = Bundle.open(bundle)
    assert opened.manifest.profile == {}
    assert opened.task.pooling == "mean"


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": "strop.bundle/2"}', "null"])
def test_what_is_not_a_manifest_is_refused_in_one_line(bundle, text):
    (bundle / "manifest.json").write_text(text)
    with pytest.raises(InputError, match=r"manifest\.json can't be read") as refusal:
        Bundle.open(bundle)
    assert "\n" not in str(refusal.value)


def test_an_unknown_variant_is_answered_with_those_there_are(bundle):
    with pytest.raises(InputError, match=r"variant 'int4' is not in .*; it has: fp32"):
        Bundle.open(bundle).variant("int4")


def test_golden_examples_survive_their_file(tmp_path):
    examples = [
        GoldenExample("naïve\nline\u2028two", np.float32([0.1, 0.9])),
        GoldenExample(("a", "pair"), np.float32([[0.1], [0.7]])),
    ]
    write_golden(tmp_path / "golden.jsonl", examples)
    for read, written in zip(read_golden(tmp_path / "golden.jsonl"), examples, strict=True):
        assert read.text == written.text
        assert np.array_equal(read.output, written.output)


def test_a_link_to_a_folder_is_a_file_that_nobody_listed(bundle, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (bundle / "variants" / "int8").symlink_to(tmp_path / "elsewhere")
    listed = {"manifest.json", *Bundle.open(bundle).manifest.files}
    assert list(unlisted_files(bundle, listed)) == ["variants/int8"]
