"""A long context cut into windows: alike in training and in a bundle, and golden by window."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from strop.export.bundle import GoldenExample, TextEncoder, count_windows
from strop.export.bundle.golden import read_golden, write_golden
from strop.tasks import TASKS, Example
from strop.train.batches import EncodedSplit
from strop.train.preprocessing import Preprocessing

TASK = TASKS["question-answering"]
TEXTS = st.text(min_size=1, max_size=150)


@settings(max_examples=40)
@given(pairs=st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=4), limit=st.integers(16, 40))
def test_a_bundle_reads_the_windows_that_were_learnt(tiny_encoder, pairs, limit):
    examples = [Example(question, (), context) for question, context in pairs]
    labels = TASK.labels(examples)
    tokenizer = AutoTokenizer.from_pretrained(tiny_encoder)
    split = EncodedSplit.of(examples, Preprocessing(tokenizer, TASK, labels, limit, token_types=True))
    encoder = TextEncoder(
        tiny_encoder / "tokenizer.json", limit, offsets=True, token_types=True, windowed=True
    )
    encoded = encoder.encode(pairs)
    assert count_windows(encoded) == list(split.counts)
    assert [one.offsets for one in encoded] == list(split.offsets)
    for one, item in zip(encoded, split.items, strict=True):
        assert one.ids.T.tolist() == [item["input_ids"], item["token_type_ids"]]
    assert [one.window for one in encoded if one.truncated] == [0] * sum(one.truncated for one in encoded)


def test_a_golden_example_keeps_its_window(tmp_path):
    example = GoldenExample(("Where?", "Here."), np.float32([[0.5, 1]]), window=3)
    write_golden(tmp_path / "golden.jsonl", [example])
    (read,) = read_golden(tmp_path / "golden.jsonl")
    assert (read.text, read.window) == (example.text, 3)
