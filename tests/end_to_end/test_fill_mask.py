"""Masked language models from texts to Fill: trained, exported, served by a real process and asked."""

import json
import re
import shutil

import grpc
import numpy as np
import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from command_line import strop
from strop.export.bundle import Bundle
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc
from strop.proto.raw import pack_bytes, unpack_bytes, unpack_fp32
from strop.train.run import Run


@pytest.fixture(scope="module")
def run(tmp_path_factory, tiny_data, tiny_encoder):
    """A run of the tiny encoder with a mask among its tokens."""
    folder = tmp_path_factory.mktemp("fill")
    base = folder / "base"
    shutil.copytree(tiny_encoder, base)
    tokenizer = AutoTokenizer.from_pretrained(base)
    tokenizer.add_special_tokens({"mask_token": "[MASK]"})
    model = AutoModel.from_pretrained(base)
    model.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    model.save_pretrained(base)
    tokenizer.save_pretrained(base)
    options = ("--epochs", 8, "--batch-size", 8, "--learning-rate", "5e-3", "--threads", 1)
    strop(
        *("train", tiny_data, "--task", "fill-mask", "--model", base, "--out", folder / "run"),
        *(*options, "--max-tokens", 32, "--precision", "fp32"),
    )
    return Run.open(folder / "run")


@pytest.fixture(scope="module")
def hidden(run):
    """What the gate goes by: the test texts, a token hidden in each."""
    path = run.root.parent / "hidden.jsonl"
    strop("data", "cloze", run.root, "--out", path)
    return path


@pytest.fixture(scope="module")
def bundle(run):
    """Its bundle: fp32 and int8."""
    out = run.root.parent / "bundle"
    strop("export", run.root, "--out", out, "--name", "words", "--gate", 0.5)
    return Bundle.open(out)


@pytest.fixture(scope="module")
def told(run, hidden):
    """The texts of the gate, and the probabilities of their masks in torch, [texts, vocabulary]."""
    tokenizer, model = AutoTokenizer.from_pretrained(run.tokenizer_file.parent), run.merged_model()
    rows = [json.loads(line) for line in hidden.read_text().splitlines()]
    texts, words = ([row[name] for row in rows] for name in ("text", "word"))
    found = []
    with torch.no_grad():
        for text in texts:
            ids = torch.tensor([tokenizer(text)["input_ids"]])
            logits = model(input_ids=ids).logits[ids == tokenizer.mask_token_id]
            found.append(logits.softmax(dim=-1)[0].numpy())
    return texts, words, np.stack(found), tokenizer


def test_the_bundle_is_judged_by_one_hidden_token_a_text(run, bundle, told):
    texts, words, probabilities, tokenizer = told
    fp32, int8 = bundle.manifest.variants
    tokens = tokenizer.convert_tokens_to_ids(words)
    right = probabilities[np.arange(len(texts)), tokens]
    assert fp32.metrics["accuracy"] == np.mean(probabilities.argmax(axis=1) == tokens)
    assert fp32.metrics["loss"] == pytest.approx(-np.log(right).mean(), rel=1e-4)
    assert [variant.metrics["batch_difference"] for variant in (fp32, int8)] == [0, 0]
    assert bundle.manifest.provenance["held_out_texts"] == len(texts) == 32
    assert fp32.layout.mask_token_id == tokenizer.mask_token_id
    card = (bundle.root / "README.md").read_text()
    assert "a probability of each of the tokenizer's tokens" in card
    assert "Every text gets one of the classes" not in card
    assert (bundle.root / "golden.jsonl").stat().st_size < 200_000
    strop("inspect", "--verify", bundle.root)


def test_fill_tells_the_words_that_the_model_finds_likeliest(channel, told):
    texts, _, probabilities, tokenizer = told
    reply = pb_grpc.StropStub(channel).Fill(pb.FillRequest(texts=texts, top_k=3))
    assert reply.variant == "fp32"
    for text, row, result in zip(texts, probabilities, reply.results, strict=True):
        best = np.argsort(-row)[:3]
        assert [one.label for one in result.words] == tokenizer.convert_ids_to_tokens(best)
        np.testing.assert_allclose([one.score for one in result.words], row[best], atol=1e-5)
        assert result.tokens == len(tokenizer(text)["input_ids"])
        if not result.words[0].label.startswith("##"):
            assert result.text == text.replace("[MASK]", result.words[0].label)
    (short,) = pb_grpc.StropStub(channel).Fill(pb.FillRequest(texts=texts[:1])).results
    assert len(short.words) == 5


def infer(channel, *inputs):
    request = oip.ModelInferRequest(model_name="words")
    for name, datatype, shape, content in inputs:
        request.inputs.add(name=name, datatype=datatype, shape=shape)
        request.raw_input_contents.append(content)
    reply = oip_grpc.GRPCInferenceServiceStub(channel).ModelInfer(request)
    return dict(zip([one.name for one in reply.outputs], reply.raw_output_contents, strict=True))


def test_the_open_protocol_answers_text_and_tokens_alike(channel, told):
    texts, _, probabilities, tokenizer = told
    encoded = tokenizer(texts, padding=True, return_tensors="np")
    shape = list(encoded["input_ids"].shape)
    found = infer(channel, ("text", "BYTES", [len(texts)], pack_bytes(text.encode() for text in texts)))
    same = infer(
        channel,
        *(
            (name, "INT64", shape, encoded[name].astype(np.int64).tobytes())
            for name in ("input_ids", "attention_mask")
        ),
    )
    assert found == same
    best = probabilities.argmax(axis=1)
    words = [word.decode() for word in unpack_bytes(found["word"])]
    assert words == tokenizer.convert_ids_to_tokens(best)
    np.testing.assert_allclose(unpack_fp32(found["score"]), probabilities.max(axis=1), atol=1e-5)
    lists = [json.loads(row) for row in unpack_bytes(found["words"])]
    assert [row[0]["word"] for row in lists] == words
    assert {len(row) for row in lists} == {5}
    stub = oip_grpc.GRPCInferenceServiceStub(channel)
    assert [one.name for one in stub.ModelMetadata(oip.ModelMetadataRequest(name="words")).outputs] == [
        *found
    ]
    config = stub.ModelConfig(oip.ModelConfigRequest(name="words")).config
    assert config.parameters["mask_token"].string_value == "[MASK]"


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (pb.FillRequest(texts=["the [MASK]", "a film"]), "text 1 has no masks; write [MASK] once"),
        (pb.FillRequest(texts=["[MASK] [MASK]"]), "text 0 has 2 masks; write [MASK] once"),
        (
            pb.FillRequest(texts=["film " * 40 + "[MASK]"]),
            "text 0 has no masks in the 32 tokens that the model takes",
        ),
        (pb.FillRequest(texts=["[MASK]"], top_k=101), "top_k is 101; ask for at most 100 words"),
    ],
)
def test_a_text_without_one_mask_is_refused(channel, request_, message):
    with pytest.raises(grpc.RpcError) as refused:
        pb_grpc.StropStub(channel).Fill(request_)
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert message in refused.value.details()


def test_tokens_without_a_mask_are_refused(channel):
    with pytest.raises(grpc.RpcError) as refused:
        infer(channel, ("input_ids", "INT64", [1, 2], np.array([2, 3]).tobytes()))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "has no masks" in refused.value.details()


def test_another_call_is_refused_with_the_right_one(channel):
    with pytest.raises(grpc.RpcError) as refused:
        pb_grpc.StropStub(channel).Classify(pb.ClassifyRequest(texts=["[MASK]"]))
    assert "call Fill instead of Classify" in refused.value.details()


@pytest.mark.parametrize("protocol", ["typed", "open-inference"])
def test_a_benchmark_finds_what_the_bundle_promises(bundle, hidden, address, protocol, tmp_path):
    strop(
        *("bench", address, "--texts", hidden, "--promise", bundle.root, "--protocol", protocol),
        *("--seconds", 1.5, "--warmup-seconds", 0, "--in-flight", 4, "--rate", 60, "--slo-ms", 1000),
        *("--out", tmp_path),
    )
    (file,) = tmp_path.glob("*.json")
    accuracy = json.loads(file.read_text())["accuracy"]
    promised = {"accuracy": bundle.variant("fp32").metrics["accuracy"]}
    assert (accuracy["texts"], accuracy["of"], accuracy["changed"]) == (32, 32, 0)
    assert accuracy["metrics"] == pytest.approx(promised)
    assert accuracy["promised"]["metrics"] == promised


def test_a_query_shows_the_same_words_on_both_apis(address, told):
    texts, _, probabilities, tokenizer = told
    shown = strop("query", address, texts[0], "--protocol", "both", "--top-k", 2)
    for part in shown.split("open-inference API"):
        scores = [float(score) for score in re.findall(r"0\.\d{4}", part)]
        for token in np.argsort(-probabilities[0])[:2]:
            assert tokenizer.convert_ids_to_tokens(int(token)) in part
            assert min(abs(score - probabilities[0][token]) for score in scores) < 2e-4


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--recipes", "layers1+int8"), "--recipes layers1+int8: fill-mask can't be cut"),
        (("--recipes", "vocab"), "leave out vocab"),
        (("--recipes", "int8", "--search"), "--search: fill-mask can't be cut"),
    ],
)
def test_cuts_are_refused_by_name(run, tmp_path, options, message):
    error = strop("export", run.root, "--out", tmp_path / "cut", *options, code=2)
    assert message in " ".join(error.split())
    assert not (tmp_path / "cut").exists()
