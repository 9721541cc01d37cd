"""Every task from labelled rows to a typed call: trained, exported, served and asked as a user does."""

import json
import os
import random
import subprocess
import sys
from dataclasses import dataclass

import grpc
import numpy as np
import pytest

from command_line import strop
from strop.export.bundle import Bundle
from strop.export.source import text_of
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto import strop_pb2 as pb
from strop.proto import strop_pb2_grpc as pb_grpc
from strop.proto.raw import pack_bytes, unpack_bytes, unpack_fp32
from strop.tasks import by_example
from strop.tasks.embedding import unit
from strop.train.batches import EncodedSplit
from strop.train.encoder import tells_pairs_apart
from strop.train.predict import predict
from strop.train.preprocessing import Preprocessing
from strop.train.run import Run

COUNT = 288


def pairs(tiny):
    """Whether two texts are of the same mood."""
    rows = tiny.rows(COUNT)
    for first, second in zip(rows, rows[1:] + rows[:1], strict=True):
        label = "same" if first["label"] == second["label"] else "other"
        yield {"text": first["text"], "text_pair": second["text"], "label": label}


def moods(tiny):
    """All moods that a text has words of."""
    texts = [row["text"] for row in tiny.rows(COUNT)]
    for first, second in zip(texts, texts[1:] + texts[:1], strict=True):
        words = {*first.split(), *second.split()}
        yield {
            "text": f"{first} {second}",
            "labels": [mood for mood in tiny.words if words & {*tiny.words[mood]}],
        }


def scores(tiny):
    """How much better the first text is than the second."""
    worth = dict.fromkeys(tiny.words["good"], 1) | dict.fromkeys(tiny.words["bad"], -1)
    texts = [row["text"] for row in tiny.rows(COUNT)]
    for first, second in zip(texts, texts[1:] + texts[:1], strict=True):
        value = [sum(worth.get(word, 0) for word in text.split()) for text in (first, second)]
        yield {"text": first, "text_pair": second, "score": value[0] - value[1]}


def tags(tiny):
    """Stretches of good and of bad words."""
    chance = random.Random(0)
    for number in range(COUNT):
        tokens, named = [f"film{number}"], ["O"]
        for _ in range(3):
            mood = chance.choice(["good", "bad"])
            stretch = chance.choices(tiny.words[mood], k=chance.randint(1, 2))
            tokens += [*stretch, chance.choice(tiny.fillers)]
            named += [f"B-{mood}", *[f"I-{mood}"] * (len(stretch) - 1), "O"]
        yield {"tokens": tokens, "tags": named}


def shared_words(tiny):
    """Two texts of three words each that tell, and how many those have in common; then two other texts."""
    chance = random.Random(0)
    telling = sorted(sum(tiny.words.values(), ()))

    def text(words):
        words = [*words, *chance.choices(tiny.fillers, k=chance.randint(2, 5))]
        return " ".join(chance.sample(words, len(words)))

    for _ in range(COUNT):
        words, others = chance.sample(telling, 3), chance.sample(telling, 3)
        common = chance.randint(0, 3)
        other = [*words[:common], *[word for word in others if word not in words]][:3]
        yield text(words), text(other), len({*words} & {*other}), text(words), text(others)


def searches(tiny):
    """Texts with the same three words belong together; every other row has a negative."""
    for number, (anchor, _, _, positive, negative) in enumerate(shared_words(tiny)):
        yield {"anchor": anchor, "positive": positive, **({"negative": negative} if number % 2 else {})}


def likenesses(tiny):
    """Texts are as alike as they have words in common."""
    for text, other, common, _, _ in shared_words(tiny):
        yield {"text": text, "text_pair": other, "score": common}


def answers(tiny):
    """Where the good or the bad words stand, if they do: contexts of one window to five."""
    chance = random.Random(0)
    for number in range(COUNT):
        words = [chance.choice(tiny.fillers) for _ in range(chance.randint(8, 60))]
        asked, other = chance.sample(["good", "bad"], k=2)
        place = chance.randrange(len(words))
        mood = asked if number % 4 else other
        words[place:place] = chance.choices(tiny.words[mood], k=2)
        start = len(" ".join([*words[:place], ""]))
        found = [{"text": " ".join(words[place : place + 2]), "answer_start": start}]
        question = f"{number} {tiny.words[asked][0]}"
        yield {"question": question, "context": " ".join(words), "answers": found if mood == asked else []}


@dataclass(frozen=True)
class Case:
    task: str
    rows: object
    options: tuple[str, ...] = ()


CASES = {
    "pairs": Case("text-classification", pairs, ("--pair-column", "text_pair")),
    "many labels": Case("multi-label-classification", moods),
    "scores": Case("regression", scores, ("--pair-column", "text_pair")),
    "tags": Case("token-classification", tags),
    "searches": Case("sentence-embedding", searches),
    "likenesses": Case("sentence-similarity", likenesses, ("--pooling", "cls")),
    "answers": Case("question-answering", answers, ("--method", "full")),
}


@pytest.fixture(scope="module", params=CASES)
def run(request, tmp_path_factory, tiny, tiny_encoder):
    """A run of each task."""
    case, folder = CASES[request.param], tmp_path_factory.mktemp("task")
    rows = list(case.rows(tiny))
    for name, place in (("train", slice(224)), ("validation", slice(224, 256)), ("test", slice(256, 288))):
        tiny.write(folder / f"{name}.jsonl", rows[place])
    out = folder / "run"
    options = ("--epochs", 4, "--batch-size", 8, "--learning-rate", "5e-3", "--threads", 1)
    strop(
        *("train", folder, "--task", case.task, *case.options, "--model", tiny_encoder, "--out", out),
        *(*options, "--max-tokens", 32, "--precision", "fp32"),
    )
    return Run.open(out)


@pytest.fixture(scope="module")
def bundle(run):
    """Its bundle, with an int8 variant that the gate lets through."""
    out = run.root.parent / "bundle"
    strop("export", run.root, "--out", out, "--name", "task", "--gate", 0.5)
    return Bundle.open(out)


@pytest.fixture(scope="module")
def expected(run):
    """What the trained model says of the test split, in torch."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(run.tokenizer_file.parent)
    model = run.merged_model()
    types = tells_pairs_apart(model.config)
    split = EncodedSplit.of(
        run.splits().test, Preprocessing(tokenizer, run.task, run.labels, run.max_tokens, types)
    )
    return predict(model, split.items, run.task, tokenizer.pad_token_id), split


def replies(run, expected):
    """What the trained model answers to each question of the test split."""
    outputs, split = expected
    found, offsets = (by_example(one, split.counts) for one in (outputs, split.offsets))
    return [run.task.reply(*one, run.labels) for one in zip(found, offsets, strict=True)]


def test_the_bundle_has_the_score_of_the_run_and_its_int8_is_batch_invariant(run, bundle):
    metric = run.task.metrics[0]
    fp32, int8 = bundle.manifest.variants
    assert bundle.manifest.task == run.task.name
    assert bundle.task.pooling == run.task.pooling
    assert fp32.metrics[metric] == pytest.approx(run.metrics["test"][metric], abs=1e-6)
    assert int8.share_of_reference >= 0.5
    assert [variant.metrics["batch_difference"] for variant in (fp32, int8)] == [0, 0]
    assert run.metrics["test"][metric] > 0.3
    card = (bundle.root / "README.md").read_text()
    assert metric in card
    assert ("the state of a text's first token" in card) == (run.task.pooling == "cls")


def test_the_typed_call_answers_as_the_model_does(run, bundle, channel, expected):
    outputs, split = expected
    inputs = [one for example in split.examples for one in run.task.inputs(example)]
    texts = [one.text for one in inputs]
    seconds = [one.pair for one in inputs if one.pair is not None]
    stub, labels = pb_grpc.StropStub(channel), list(run.labels)
    if run.task.call == "Classify":
        reply = stub.Classify(pb.ClassifyRequest(texts=texts, pairs=seconds))
        found = [
            [{one.label: one.score for one in row.labels}[name] for name in labels] for row in reply.results
        ]
        assert np.allclose(found, outputs, atol=1e-4)
    elif run.task.call == "Score":
        reply = stub.Score(pb.ScoreRequest(texts=texts, pairs=seconds))
        assert np.allclose([row.score for row in reply.results], np.ravel(outputs), atol=1e-4)
    elif run.task.call == "Embed":
        reply = stub.Embed(pb.EmbedRequest(texts=texts))
        assert np.allclose([row.vector for row in reply.results], outputs, atol=1e-4)
        normalised = stub.Embed(pb.EmbedRequest(texts=texts, normalise=True))
        assert np.allclose([row.vector for row in normalised.results], unit(np.stack(outputs)), atol=1e-4)
    elif run.task.call == "Answer":
        reply = stub.Answer(pb.AnswerRequest(questions=texts, contexts=seconds))
        assert max(row.windows for row in reply.results) > 2
        assert [row.windows for row in reply.results] == list(split.counts)
        for text, row, wanted in zip(seconds, reply.results, replies(run, expected), strict=True):
            found = [(one.start, one.stop) for one in row.answers]
            assert found == [one[:2] for one in wanted.answers]
            assert all(one.text == text[one.start : one.stop] for one in row.answers)
            scores = [row.null_score, *(one.score for one in row.answers)]
            known = [wanted.null_score, *(one.score for one in wanted.answers)]
            assert np.allclose(scores, known, atol=1e-3)
    else:
        reply = stub.Tag(pb.TagRequest(texts=texts))
        rows = zip(texts, reply.results, outputs, split.offsets, strict=True)
        for text, row, output, offsets in rows:
            wanted = run.task.entities(output, offsets, labels)
            assert [(one.label, one.start, one.stop) for one in row.entities] == [one[:3] for one in wanted]
            assert all(one.text == text[one.start : one.stop] for one in row.entities)
    assert reply.variant == "fp32"
    windows = split.counts if run.task.windowed else [1] * len(split.items)
    items = by_example(split.items, windows)
    assert [row.tokens for row in reply.results] == [
        sum(len(item["input_ids"]) for item in some) for some in items
    ]


def test_the_open_protocol_answers_the_same(run, bundle, channel, expected):
    outputs, split = expected
    request = oip.ModelInferRequest(model_name="task")
    inputs = [one for example in split.examples for one in run.task.inputs(example)]
    columns = np.array([text_of(one) for one in inputs]).reshape(len(inputs), -1).T.tolist()
    for name, column in zip(("text", "text_pair"), columns, strict=False):
        request.inputs.add(name=name, datatype="BYTES", shape=[len(column)])
        request.raw_input_contents.append(pack_bytes(text.encode() for text in column))
    stub = oip_grpc.GRPCInferenceServiceStub(channel)
    reply = stub.ModelInfer(request)
    configured = stub.ModelConfig(oip.ModelConfigRequest(name="task")).config.parameters
    assert configured["pooling"].string_value == (run.task.pooling or "")
    described = stub.ModelMetadata(oip.ModelMetadataRequest(name="task")).outputs
    for one, known in zip(reply.outputs, described, strict=True):
        assert [one.shape[0], *known.shape[1:]] == list(one.shape)
    raw = dict(zip([one.name for one in reply.outputs], reply.raw_output_contents, strict=True))
    assert list(raw) == list(run.task.tensors)
    if "answer" in raw:
        found = [json.loads(one) for one in unpack_bytes(raw["answer"])]
        wanted = [[one[:2] for one in reply.answers] for reply in replies(run, expected)]
        assert [[] if one["start"] is None else [(one["start"], one["stop"])] for one in found] == wanted
    elif "entities" in raw:
        found = [json.loads(one) for one in unpack_bytes(raw["entities"])]
        assert [len(one) for one in found] == [
            len(run.task.entities(output, offsets, run.labels))
            for output, offsets in zip(outputs, split.offsets, strict=True)
        ]
    else:
        (name,) = {*raw} & {"probabilities", "embedding"} or {"score"}
        assert np.allclose(unpack_fp32(raw[name]), np.ravel(outputs), atol=1e-4)


def test_another_tasks_call_is_refused_with_the_right_one(run, channel):
    other = "Tag" if run.task.call != "Tag" else "Classify"
    with pytest.raises(grpc.RpcError) as refused:
        getattr(pb_grpc.StropStub(channel), other)(getattr(pb, f"{other}Request")(texts=["a film"]))
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert f"call {run.task.call} instead of {other}" in refused.value.details()


@pytest.mark.parametrize("protocol", ["typed", "open-inference"])
def test_a_benchmark_finds_what_the_bundle_promises(run, bundle, address, protocol, tmp_path):
    texts = run.root.parent / "test.jsonl"
    strop(
        *("bench", address, "--texts", texts, "--promise", bundle.root, "--protocol", protocol),
        *("--seconds", 1.5, "--warmup-seconds", 0, "--in-flight", 4, "--rate", 60, "--slo-ms", 1000),
        *("--out", tmp_path),
    )
    (file,) = tmp_path.glob("*.json")
    report = json.loads(file.read_text())
    accuracy, promised = report["accuracy"], bundle.variant("fp32").metrics
    assert report["server"]["task"] == run.task.name
    if run.task.call == "Embed":  # what a text's vector is worth, the others tell
        assert accuracy is None
        return
    assert (accuracy["texts"], accuracy["of"], accuracy["changed"]) == (32, 32, 0)
    assert accuracy["metrics"] == pytest.approx(
        {name: promised[name] for name in run.task.metrics}, abs=1e-5
    )
    assert accuracy["promised"]["metrics"] == {name: promised[name] for name in run.task.metrics}
    (page,) = tmp_path.glob("*.md")
    for name in run.task.metrics:
        assert f"| {name.replace('_', '-')} | {accuracy['metrics'][name]:.4f} |" in page.read_text()


def test_a_query_shows_the_same_answer_on_both_apis(run, address, expected):
    outputs, split = expected
    example = run.task.inputs(split.examples[0])[0]
    texts = [example.text] if example.pair is None else [example.text, example.pair]
    printed = strop("query", address, *texts, "--protocol", "both")
    typed, open_inference = printed.split("open-inference API")
    if run.task.call == "Answer":
        (best, *_) = replies(run, expected)
        wanted = [f"{one.start}–{one.stop}" for one in best.answers] or ["none"]
    elif run.task.call == "Tag":
        entities = run.task.entities(outputs[0], split.offsets[0], run.labels)
        wanted = [f"{one.start}–{one.stop}" for one in entities]
    elif run.task.call == "Embed":
        wanted = [f"{len(outputs[0])}", f"{np.linalg.norm(outputs[0]):.4f}"[:-1]]
    else:
        names = set(run.labels)
        labels = run.task.tensor("label", outputs, (), run.labels) if names != {"score"} else None
        wanted = [f"{outputs[0].max():.4f}", *(labels or [""])[:1]]
    for shown in (typed, open_inference):
        assert all(word in shown for word in wanted), (wanted, shown)


def test_a_line_of_the_standard_input_is_one_question(bundle, address):
    lines = ["a lovely film", "an awful film", "the film", "the story"]
    if bundle.manifest.pairs:
        lines = ["\t".join(lines[:2]), "\t".join(lines[2:])]
    command = [sys.executable, "-m", "strop", "query", address]
    wide = os.environ | {"COLUMNS": "160"}
    asked = subprocess.run(
        command, input="\n".join(lines), capture_output=True, text=True, timeout=60, env=wide
    )
    assert asked.returncode == 0, asked.stderr
    assert all(text in asked.stdout for line in lines for text in line.split("\t"))
