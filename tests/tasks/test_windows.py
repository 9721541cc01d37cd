"""Windows of a context: nothing is lost, nothing is cut in two everywhere, offsets are the context's."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from strop.tasks import TASKS, Example
from strop.tasks.windows import FEWEST, FIRST, OVERLAP, stretches_of, windows

TASK = TASKS["question-answering"]
TEXTS = st.text(max_size=120)
LIMITS = st.integers(FEWEST, 48)


@pytest.fixture(scope="module", params=["bert", "roberta"])
def tokenizer(request: pytest.FixtureRequest, tiny_encoder: Path) -> Any:
    """WordPiece with BERT's special tokens, and byte-level BPE with RoBERTa's."""
    if request.param == "bert":
        return Tokenizer.from_file(str(tiny_encoder / "tokenizer.json"))
    from tokenizers import models, pre_tokenizers, processors

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {piece: number for number, piece in enumerate(["<s>", "</s>", *letters])}
    made = Tokenizer(models.BPE(vocabulary, []))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.post_processor = processors.RobertaProcessing(("</s>", 1), ("<s>", 0), add_prefix_space=False)
    return made


@given(st.integers(0, 200), st.integers(1, 40), st.data())
def test_stretches_cover_everything_and_any_overlap_lies_whole_in_one(
    length: int, room: int, data: Any
) -> None:
    overlap = data.draw(st.integers(0, room - 1))
    stretches = stretches_of(length, room, overlap)
    assert all(stop - start <= room for start, stop in stretches)
    assert {place for stretch in stretches for place in range(*stretch)} == set(range(length))
    for start in range(length):
        stop = min(start + overlap, length)
        assert any(first <= start and stop <= last for first, last in stretches)
    # None is there for what another one holds.
    for (first, last), (other, end) in pairwise(stretches):
        assert first < other <= last < end


@settings(max_examples=60)
@given(question=TEXTS, context=TEXTS, limit=LIMITS)
def test_every_token_of_a_context_is_in_a_window_with_its_characters(
    tokenizer: Any, question: str, context: str, limit: int
) -> None:
    encoding = tokenizer.encode(question, context)
    pairs = list(zip(encoding.ids, encoding.offsets, encoding.sequence_ids, strict=True))
    asked = [id_ for id_, _, text in pairs if text == 0]
    wanted = {(id_, span) for id_, span, text in pairs if text == 1 and span[1] > span[0]}
    found = windows(encoding, limit)
    for window in found:
        assert len(window.ids) == len(window.type_ids) == len(window.offsets) <= limit
        assert window.cut == (len(asked) > limit // FIRST)
        assert window.ids[1 : 1 + len(asked[: limit // FIRST])] == asked[: limit // FIRST]
        assert window.offsets[0] == (0, 0)
        assert all(0 <= start <= stop <= len(context) for start, stop in window.offsets)
    tokens = {
        (id_, span)
        for window in found
        for id_, span in zip(window.ids, window.offsets, strict=True)
        if span[1] > span[0]
    }
    assert tokens == wanted


@settings(max_examples=60)
@given(question=TEXTS, context=st.text(min_size=1, max_size=120), limit=LIMITS)
def test_a_pair_that_fits_is_encoded_as_the_tokenizer_does(
    tokenizer: Any, question: str, context: str, limit: int
) -> None:
    encoding = tokenizer.encode(question, context)
    found = windows(encoding, limit)
    if len(encoding.ids) <= limit and not found[0].cut:
        assert len(found) == 1
        assert (found[0].ids, found[0].type_ids) == (encoding.ids, encoding.type_ids)


@settings(max_examples=100)
@given(
    words=st.lists(st.text("abXé1😀", min_size=1, max_size=5), min_size=1, max_size=60),
    question=TEXTS,
    limit=LIMITS,
    data=st.data(),
)
def test_an_answer_as_short_as_the_overlap_is_whole_in_a_window_and_is_its_target(
    tokenizer: Any, words: list[str], question: str, limit: int, data: Any
) -> None:
    context = " ".join(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, min(first + 2, len(words) - 1)))
    start, answer = len(" ".join([*words[:first], ""])), " ".join(words[first : last + 1])
    example = Example(
        question, TASK.read_label([{"text": answer, "answer_start": start}], question, context), context
    )
    encoding = tokenizer.encode(question, context)
    stop = start + len(answer)
    size = sum(
        text == 1 and left < stop and right > start
        for (left, right), text in zip(encoding.offsets, encoding.sequence_ids, strict=True)
    )
    targets = [
        (TASK.target(example, one.offsets, TASK.labels([example])), one) for one in windows(encoding, limit)
    ]
    held = [(target, window) for target, window in targets if target != [0, 0]]
    assert held or size > limit // OVERLAP
    for (begin, end), window in held:
        # RoBERTa's tokens may begin with the blank before their word.
        there = context[window.offsets[begin][0] : window.offsets[end][1]]
        assert there.strip() == answer
