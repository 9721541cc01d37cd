"""Declared HTTP endpoints: the file, what is sent, and how a reply is read."""

import json
import math
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.bench.endpoint import Endpoint, JsonWire
from strop.bench.protocols import read_reply
from strop.errors import InputError, StropError

ONE = {"path": "/infer", "request": {"text": "$text"}, "label": ["label"], "score": ["score"]}
MANY = {
    "path": "/classify",
    "request": {"model": "m", "input": "$texts"},
    "label": ["data", "$n", 0, "label"],
    "score": ["data", "$n", 0, "score"],
}
KEYS = st.text(min_size=1).filter(lambda key: key != "$n")
TEXTS = st.text() | st.sampled_from(["$text", "$texts", "$n"])


@given(texts=st.lists(st.tuples(TEXTS), min_size=1))
def test_what_a_server_reads_is_what_was_asked(texts: list[tuple[str]]) -> None:
    sent = json.loads(JsonWire(Endpoint.of(MANY)).encode(texts))
    assert sent == {"model": "m", "input": [text for (text,) in texts]}


@given(text=TEXTS, around=st.lists(KEYS, max_size=4))
def test_a_text_stands_where_its_word_stood_however_deep(text: str, around: list[str]) -> None:
    request: object = "$text"
    for key in around:
        request = [{key: request, "kept": 1}]
    sent = json.loads(JsonWire(Endpoint.of(ONE | {"request": request})).encode([(text,)]))
    for key in reversed(around):
        assert sent[0].get("kept", 1) == 1
        sent = sent[0][key]
    assert sent == text


@given(
    answers=st.lists(st.tuples(st.text(), st.floats(0, 1)), min_size=1),
    steps=st.lists(KEYS | st.integers(0, 3), max_size=4),
)
def test_labels_and_scores_are_read_from_wherever_they_lie(
    answers: list[tuple[str, float]], steps: list[str | int]
) -> None:
    reply: object = [{"label": label, "score": score} for label, score in answers]
    for step in reversed(steps):
        reply = {step: reply} if isinstance(step, str) else [None] * step + [reply]
    wire = JsonWire(
        Endpoint.of(MANY | {"label": [*steps, "$n", "label"], "score": [*steps, "$n", "score"]})
    )
    read = read_reply(wire, json.dumps(reply).encode(), len(answers))
    assert read.results == tuple((answer,) for answer in answers)


def test_an_endpoint_without_scores_has_labels_all_the_same() -> None:
    endpoint = Endpoint.of({key: ONE[key] for key in ("path", "request", "label")})
    (((label, score),),) = JsonWire(endpoint).decode(b'{"label": "good"}').results
    assert label == "good"
    assert math.isnan(score)


def test_a_pair_is_two_words() -> None:
    endpoint = Endpoint.of(ONE | {"request": {"a": "$text", "b": "$text_pair"}})
    assert endpoint.served.inputs == ("text", "text_pair")
    assert json.loads(JsonWire(endpoint).encode([("x", "y")])) == {"a": "x", "b": "y"}


@pytest.mark.parametrize(
    "reply", [b"", b"[]", b"{}", b'{"label": 3, "score": 1}', b'{"label": "a", "score": "much"}', b"\xff"]
)
def test_a_reply_of_another_form_is_an_error(reply: bytes) -> None:
    with pytest.raises(StropError, match="can't be read"):
        read_reply(JsonWire(Endpoint.of(ONE)), reply, 1)


@given(reply=st.binary() | st.recursive(st.none() | st.text() | st.floats(), st.lists).map(json.dumps))
def test_no_reply_ends_in_anything_but_an_answer_or_an_error(reply: bytes | str) -> None:
    raw = reply if isinstance(reply, bytes) else reply.encode()
    for keys in (ONE, MANY):
        try:
            read_reply(JsonWire(Endpoint.of(keys)), raw, 1)
        except StropError:
            continue


def test_several_texts_need_an_endpoint_for_several() -> None:
    with pytest.raises(InputError, match=r'--texts-per-call is 2; .*"\$texts"'):
        JsonWire(Endpoint.of(ONE)).encode([("a",), ("b",)])


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"pth": "/x"}, "unknown key 'pth'; keys: path, request, label, score, model"),
        ({"path": "infer"}, "path is 'infer'; it must begin with a /"),
        ({"request": {"text": "$txt"}}, r'one of "\$text"'),
        ({"request": ["$text", "$texts"]}, r'one of "\$text"'),
        ({"request": ["$text", "$text_pairs"]}, r'"\$text_pair" beside "\$text"'),
        ({"label": "label"}, "label is 'label'; write a list"),
        ({"score": ["$n", "$n"]}, r'score has "\$n" more than once'),
    ],
)
def test_a_wrong_file_is_named_with_its_fault(
    changed: dict[str, object], complaint: str, tmp_path: Path
) -> None:
    file = tmp_path / "mine.toml"
    lines = (f"{json.dumps(key)} = {_toml(value)}\n" for key, value in (ONE | changed).items())
    file.write_text("".join(lines), encoding="utf-8")
    with pytest.raises(InputError, match=rf"--endpoint {file}: .*{complaint}"):
        Endpoint.read(file)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--endpoint .*nowhere\.toml can't be read"):
        Endpoint.read(tmp_path / "nowhere.toml")


def _toml(value: object) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(one)}" for key, one in value.items()) + "}"
    return json.dumps(value)
