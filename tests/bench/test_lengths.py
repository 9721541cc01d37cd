"""Synthetic texts: distributions of lengths, and texts that have them as the server counts."""

import json
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

from strop.bench.lengths import LogNormal, Uniform, parse_lengths
from strop.bench.server_process import ServerProcess
from strop.bench.synthetic import TEXTS, Words, compose, count_tokens, make_texts
from strop.errors import InputError
from strop.export.bundle import TextEncoder

CORPUS = (
    "the film was a charming story",
    "a dreadful, clumsy film",
    "nobody answers the letters",
    "It is so",
)
MAX_TOKENS = 40


def wordpiece() -> tuple[Any, Any]:
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    return tokenizer, trainers.WordPieceTrainer(vocab_size=60, special_tokens=["[UNK]", "[CLS]", "[SEP]"])


def byte_level() -> tuple[Any, Any]:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    return tokenizer, trainers.BpeTrainer(
        vocab_size=320, special_tokens=["[CLS]", "[SEP]"], initial_alphabet=alphabet
    )


def unigram() -> tuple[Any, Any]:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    return tokenizer, trainers.UnigramTrainer(
        vocab_size=60,
        special_tokens=["<unk>", "[CLS]", "[SEP]"],
        unk_token="<unk>",  # noqa: S106
    )


@pytest.fixture(scope="module", params=[wordpiece, byte_level, unigram])
def encoder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> TextEncoder:
    """One of a family, of 40 tokens at most."""
    make: Callable[[], tuple[Any, Any]] = request.param
    tokenizer, trainer = make()
    tokenizer.train_from_iterator([*CORPUS, *CORPUS], trainer)
    ids = [(name, tokenizer.token_to_id(name)) for name in ("[CLS]", "[SEP]")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B [SEP]", special_tokens=ids
    )
    file = tmp_path_factory.mktemp("tokenizer") / "tokenizer.json"
    tokenizer.save(str(file))
    return TextEncoder(file, MAX_TOKENS)


@given(
    wanted=st.lists(st.integers(5, MAX_TOKENS), min_size=1, max_size=20),
    parts=st.integers(1, 2),
    seed=st.integers(0, 9),
)
def test_every_text_has_the_tokens_asked_for(
    encoder: TextEncoder, wanted: list[int], parts: int, seed: int
) -> None:
    words = Words.of(encoder, [word for text in CORPUS for word in text.split()], "the corpus")
    made = compose(encoder, words, wanted, parts, random.Random(seed))
    assert count_tokens(encoder, made) == wanted
    assert all(len(text) == parts and all(text) for text in made)
    assert {word for text in made for part in text for word in part.split()} <= set(words.pool)
    assert made == compose(encoder, words, wanted, parts, random.Random(seed))


def test_words_come_as_often_as_in_the_texts_given(encoder: TextEncoder) -> None:
    often = ["film"] * 9 + ["the", "a"] * 10
    words = Words.of(encoder, often, "the corpus")
    made = compose(encoder, words, [30] * 50, 1, random.Random(0))
    counts = Counter(word for (text,) in made for word in text.split())
    assert counts["the"] > counts["film"] / 2 > 0


def test_a_bundle_and_no_texts_give_texts_of_its_vocabulary(tiny_bundle: Path) -> None:
    texts = make_texts(tiny_bundle, "lognormal:median=9,p99=24", (), 1, 0)
    assert texts == make_texts(tiny_bundle, "lognormal:median=9,p99=24", (), 1, 0)
    assert texts != make_texts(tiny_bundle, "lognormal:median=9,p99=24", (), 1, 1)
    # Each word of this tokenizer is a token, and two are special.
    tokens = sorted(len(text.split()) + 2 for (text,) in texts)
    assert (tokens[0], tokens[TEXTS // 2], tokens[TEXTS * 99 // 100 - 1]) == (3, 9, 24)
    assert tokens[-1] <= 32
    assert {word for (text,) in texts for word in text.split()} == {
        "good",
        "bad",
        "film",
        "very",
        "not",
        "a",
    }


def test_a_server_is_asked_synthetic_texts(
    strop: Callable[..., int], tiny_bundle: Path, tmp_path: Path
) -> None:
    load = ("--seconds", "1", "--warmup-seconds", "0", "--rate", "200", "--texts-per-call", "10")
    lengths = ("--lengths", "uniform:5:9", "--promise", str(tiny_bundle), "--slo-ms", "2000")
    with ServerProcess(tiny_bundle, "--instances", 1) as server:
        assert strop("bench", server.address, *lengths, *load, "--out", str(tmp_path)) == 0
        with urlopen(f"http://{server.metrics_address}/metrics") as page:
            lines = page.read().decode().splitlines()
    report = json.loads(next(tmp_path.glob("*.json")).read_text(encoding="utf-8"))
    assert report["config"]["lengths"] == "uniform:5:9"
    assert report["accuracy"] is None
    assert "words of the vocabulary, uniform:5:9 tokens" in next(tmp_path.glob("*.md")).read_text("utf-8")
    told = {line.partition("{")[0]: float(line.rpartition(" ")[2]) for line in lines if line[0] != "#"}
    mean = told["strop_batch_tokens_sum"] / told["strop_batch_texts_sum"]
    assert mean == pytest.approx(7, abs=0.1)


@pytest.mark.parametrize(
    ("lengths", "complaint"),
    [
        ("fixed:33", "33 tokens are more than tiny takes; give at most 32"),
        ("lognormal:median=9,p99=40", "40 tokens are more than tiny takes"),
        ("fixed:2", "2 tokens are too few for a word and the special tokens; give at least 3"),
    ],
)
def test_lengths_that_the_model_does_not_take_are_refused(
    tiny_bundle: Path, lengths: str, complaint: str
) -> None:
    with pytest.raises(InputError, match=f"--lengths {lengths}: {complaint}"):
        make_texts(tiny_bundle, lengths, (), 1, 0)


def test_texts_without_a_word_of_one_token_are_refused(tiny_bundle: Path) -> None:
    with pytest.raises(InputError, match="no word of --texts is one token"):
        make_texts(tiny_bundle, "fixed:9", [("good,bad not-good",)], 1, 0)


@pytest.mark.parametrize(
    "text",
    ["", "32", "fixed", "fixed:", "fixed:a", "fixed:1.5", "fixed:0", "uniform:8", "uniform:9:8", "normal:3",
     "uniform:1:2:3", "lognormal:median=20", "lognormal:median=9,p99=8", "lognormal:median=nan,p99=8",
     "lognormal:median=9,p99=inf", "lognormal:median=9,p99=20,p50=3"],
)  # fmt: skip
def test_what_is_no_distribution_is_refused_with_its_forms(text: str) -> None:
    with pytest.raises(InputError, match=f"--lengths {text}[:;] .*"):
        parse_lengths(text)


shares = st.floats(1e-6, 1, exclude_max=True)


@given(st.integers(1, 500), st.integers(0, 500), shares, shares)
def test_a_uniform_distribution_stays_within_its_bounds(
    low: int, more: int, share: float, other: float
) -> None:
    lengths = parse_lengths(f"uniform:{low}:{low + more}")
    assert lengths == Uniform(low, low + more)
    assert low <= lengths.quantile(min(share, other)) <= lengths.quantile(max(share, other)) <= low + more
    assert parse_lengths(f"fixed:{low}").quantile(share) == low


@given(st.integers(1, 500), st.integers(0, 500), shares, shares)
def test_a_lognormal_distribution_has_its_median_and_its_p99(
    median: int, more: int, share: float, other: float
) -> None:
    lengths = parse_lengths(f"lognormal:median={median},p99={median + more}")
    assert lengths == LogNormal(median, median + more)
    assert (lengths.quantile(0.5), lengths.quantile(0.99)) == (median, median + more)
    assert lengths.quantile(min(share, other)) <= lengths.quantile(max(share, other))


def test_every_length_of_a_uniform_distribution_is_as_frequent() -> None:
    counts = Counter(Uniform(8, 17).quantile((number + 0.5) / 1000) for number in range(1000))
    assert counts == dict.fromkeys(range(8, 18), 100)
