"""Token ids instead of text: the same answers, and what is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.export.bundle import Bundle, Encoded
from strop.proto import open_inference_pb2 as oip
from strop.proto import open_inference_pb2_grpc as oip_grpc
from strop.proto.raw import pack_bytes, unpack_fp32
from strop.serve.errors import InvalidArgumentError
from strop.serve.wire.token_input import TokenRules

TEXTS = ["good film", "", "not good not bad", "a"]
RULES = TokenRules(vocabulary_size=10, max_tokens=6, pad_token_id=0)
FIELDS = {
    "BOOL": ("u1", "bool_contents"),
    "INT32": ("<i4", "int_contents"),
    "INT64": ("<i8", "int64_contents"),
}


@pytest.fixture(scope="module")
def infer(channel: grpc.Channel) -> Callable[[oip.ModelInferRequest], oip.ModelInferResponse]:
    call = oip_grpc.GRPCInferenceServiceStub(channel).ModelInfer
    return lambda request: call(request, timeout=60)


@pytest.fixture(scope="module")
def encoded(tiny_bundle: Path) -> list[Encoded]:
    return Bundle.open(tiny_bundle).text_encoder().encode(TEXTS)


def rectangle(rows: list[Encoded], pad: int) -> tuple[np.ndarray, np.ndarray]:
    """Ids padded with ``pad`` on the right, and their mask."""
    longest = max(len(row.ids) for row in rows) + 1
    ids = np.full((len(rows), longest), pad)
    mask = np.zeros_like(ids)
    for number, row in enumerate(rows):
        ids[number, : len(row.ids)] = row.ids
        mask[number, : len(row.ids)] = 1
    return ids, mask


def add(request: oip.ModelInferRequest, name: str, datatype: str, values: np.ndarray, *, raw: bool) -> None:
    tensor = request.inputs.add(name=name, datatype=datatype, shape=values.shape)
    dtype, field = FIELDS[datatype]
    if raw:
        request.raw_input_contents.append(values.astype(dtype).tobytes())
    else:
        getattr(tensor.contents, field).extend(values.ravel().tolist())


def probabilities(reply: oip.ModelInferResponse) -> list[float]:
    if reply.raw_output_contents:
        return unpack_fp32(reply.raw_output_contents[2]).tolist()
    return list(reply.outputs[2].contents.fp32_contents)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("datatype", ["INT64", "INT32"])
@pytest.mark.parametrize("mask_type", ["BOOL", "INT32", "INT64", None])
def test_the_tokens_of_a_text_are_answered_as_the_text_is(
    infer: Any, encoded: list[Encoded], datatype: str, mask_type: str | None, raw: bool
) -> None:
    request = oip.ModelInferRequest(model_name="tiny")
    # Under a mask the padding may be anything.
    ids, mask = rectangle(encoded, 0 if mask_type is None else -100)
    if mask_type is not None:
        add(request, "attention_mask", mask_type, mask, raw=raw)
    add(request, "input_ids", datatype, ids, raw=raw)
    text = oip.ModelInferRequest(
        model_name="tiny", raw_input_contents=[pack_bytes(t.encode() for t in TEXTS)]
    )
    text.inputs.add(name="text", datatype="BYTES", shape=[len(TEXTS)])
    assert probabilities(infer(request)) == probabilities(infer(text))


def test_too_many_tokens_are_cut_or_refused_as_a_long_text_is(infer: Any) -> None:
    request = oip.ModelInferRequest(model_name="tiny")
    add(request, "input_ids", "INT64", np.full((1, 40), 4), raw=True)
    assert infer(request).parameters["truncated_texts"].int64_param == 1
    request.parameters["on_long"].string_param = "refuse"
    with pytest.raises(grpc.RpcError) as caught:
        infer(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert "row 0 of input 'input_ids' has 40 tokens and the model takes 32" in caught.value.details()


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ([("input_ids", "INT64", [[4], [10]])], "has 10 at [1, 0]; send ids from 0 to 9"),
        ([("input_ids", "INT64", [[-1]])], "has -1 at [0, 0]"),
        ([("input_ids", "INT64", [[4, 0], [0, 0]])], "row 1 of input 'input_ids' has no tokens"),
        ([("input_ids", "INT64", [4])], "has shape [1]; send [n, tokens]"),
        ([("input_ids", "BOOL", [[1]])], "has datatype 'BOOL'; send INT64 or INT32"),
        ([("attention_mask", "INT64", [[1]])], "the inputs are 'attention_mask'; send 'text', or"),
        (
            [("input_ids", "INT64", [[4, 4, 4]]), ("attention_mask", "BOOL", [[1, 0, 1]])],
            "row 0 of input 'attention_mask' is not ones and then zeros",
        ),
        (
            [("input_ids", "INT64", [[4]]), ("attention_mask", "INT64", [[2]])],
            "row 0 of input 'attention_mask' is not ones and then zeros",
        ),
        (
            [("input_ids", "INT64", [[4, 4]]), ("attention_mask", "INT64", [[1]])],
            "'attention_mask' has shape [1, 1] and 'input_ids' [1, 2]",
        ),
        ([("input_ids", "INT64", [[4]]), ("input_ids", "INT64", [[4]])], "'input_ids', 'input_ids'"),
        ([("input_ids", "INT64", [[4]] * 1025)], "1025 texts in one call are too many"),
    ],
)
def test_wrong_tokens_are_told_what_is_wrong(
    infer: Any, tensors: list[tuple[str, str, list[Any]]], message: str
) -> None:
    request = oip.ModelInferRequest(model_name="tiny")
    for name, datatype, values in tensors:
        add(request, name, datatype, np.array(values), raw=True)
    with pytest.raises(grpc.RpcError) as caught:
        infer(request)
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    assert message in caught.value.details()


def test_raw_tokens_that_are_cut_off_are_refused(infer: Any) -> None:
    request = oip.ModelInferRequest(model_name="tiny", raw_input_contents=[b"\x01\x00\x00"])
    request.inputs.add(name="input_ids", datatype="INT32", shape=[1, 1])
    with pytest.raises(grpc.RpcError) as caught:
        infer(request)
    assert "have 3 bytes, no whole number of INT32 elements" in caught.value.details()


rows_of_tokens = st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=9), min_size=1, max_size=5)


@given(rows_of_tokens, st.integers(0, 3), st.booleans())
def test_rows_keep_their_tokens_in_order_and_lose_only_padding_and_their_end(
    rows: list[list[int]], padding: int, masked: bool
) -> None:
    width = max(map(len, rows)) + padding
    ids = np.array([row + [0] * (width - len(row)) for row in rows])
    mask = np.array([[1] * len(row) + [0] * (width - len(row)) for row in rows]) if masked else None
    encoded = RULES.encode(ids, mask, refuse_long=False)
    assert [one.ids.tolist() for one in encoded] == [row[:6] for row in rows]
    assert [one.truncated for one in encoded] == [len(row) > 6 for row in rows]


@given(
    st.lists(st.lists(st.integers(-2, 12), min_size=4, max_size=4), min_size=1, max_size=3),
    st.lists(st.lists(st.integers(-1, 2), min_size=4, max_size=4), min_size=3, max_size=3) | st.none(),
)
def test_no_token_outside_the_vocabulary_ever_gets_through(
    ids: list[list[int]], mask: list[list[int]] | None
) -> None:
    try:
        encoded = RULES.encode(
            np.array(ids), None if mask is None else np.array(mask[: len(ids)]), refuse_long=True
        )
    except InvalidArgumentError:
        return
    for one in encoded:
        assert 1 <= len(one.ids) <= 6
        assert all(0 <= token < 10 for token in one.ids)
