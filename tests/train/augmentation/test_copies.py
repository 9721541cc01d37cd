"""Changed copies: what each kind may do to a text, and that the same text always has the same ones."""

from collections import Counter
from collections.abc import Mapping, Sequence
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.tasks import Example
from strop.train.augmentation import KINDS
from strop.train.augmentation.copies import changed, copies_of, with_typos
from strop.train.augmentation.typos import KEYS_BESIDE
from strop.train.augmentation.words import join, places, split

SYNONYMS: Mapping[str, Sequence[str]] = {"good": ("fine", "decent"), "Film": ("movie",), "FILM": ("movie",)}
TEXT = "A good Film, they say: it isn't FILM 7!"
texts = st.lists(
    st.one_of(st.sampled_from(["good", "Film", "isn't", "7", "酒店很好", "—", "🙂"]), st.text(max_size=8)),
    max_size=9,
).map(" ".join)
kinds = st.sampled_from(list(KINDS.values()))


def words(text: str) -> list[str]:
    pieces = split(text)
    return [pieces[place] for place in places(pieces)]


def copies(examples: Sequence[Example], kind: str, **options: object) -> list[Example]:
    given: dict[str, object] = {"seed": 0, "copies": 2, "share": 0.2, "synonyms": SYNONYMS} | options
    return list(copies_of(examples, KINDS[kind], **given))  # type: ignore[arg-type]


@given(texts)
def test_the_pieces_of_a_text_are_the_text(text: str) -> None:
    assert "".join(split(text)) == join(split(text)) == text


@given(texts, kinds, st.floats(0.01, 1), st.integers(0, 9))
def test_no_change_empties_a_text_or_invents_words(
    text: str, kind: object, share: float, seed: int
) -> None:
    name = kind.name  # type: ignore[attr-defined]
    before, after = words(text), words(changed(text, KINDS[name], Random(seed), share, SYNONYMS))
    assert bool(after) == bool(before)
    limit = max(1, round(share * len(before)))
    if name == "swap":
        assert Counter(after) == Counter(before)
    elif name == "delete":
        assert not Counter(after) - Counter(before)
        assert len(after) == max(min(len(before), 1), len(before) - limit)
    elif name == "insert":
        assert not Counter(before) - Counter(after)
        assert {*after} - {*before} <= {"fine", "decent", "movie"}
        assert len(after) <= len(before) + limit
    else:
        assert len(after) == len(before)
        moved = [(one, other) for one, other in zip(before, after, strict=True) if one != other]
        assert len(moved) <= limit
        for one, other in moved:
            if name == "synonyms":
                assert other.lower() in SYNONYMS[one]
            else:
                assert (one[0], one[-1]) == (other[0], other[-1])
                assert abs(len(one) - len(other)) <= 1
                assert other.isalpha()


@given(st.lists(texts, min_size=2, max_size=5, unique=True), kinds, st.randoms(use_true_random=False))
def test_a_text_has_the_same_copies_in_any_company(rows: list[str], kind: object, random: Random) -> None:
    name = kind.name  # type: ignore[attr-defined]
    alone = {row: copies([Example(row, "x")], name) for row in rows}
    shuffled = random.sample(rows, len(rows))
    together = copies([Example(row, "x") for row in shuffled], name)
    assert together == [copy for row in shuffled for copy in alone[row]]


def test_another_seed_gives_other_copies() -> None:
    example = Example("one two three four five six seven eight", "x")
    assert copies([example], "swap") == copies([example], "swap")
    assert copies([example], "swap") != copies([example], "swap", seed=1)


def test_capitals_signs_and_blanks_stay() -> None:
    found = {one.text for one in copies([Example(TEXT, "x")], "synonyms", copies=40)}
    assert found == {
        f"A {good} {film}, they say: it isn't {FILM} 7!"
        for good, film, FILM in [
            ("fine", "Movie", "FILM"),
            ("decent", "Movie", "FILM"),
            ("fine", "Film", "MOVIE"),
            ("decent", "Film", "MOVIE"),
            ("good", "Movie", "MOVIE"),
        ]
    }
    assert {one.text for one in copies([Example("a b, c", "x")], "delete", copies=20)} == {
        "b, c",
        "a, c",
        "a b,",
    }


def test_both_texts_of_a_pair_are_changed_and_the_label_is_kept() -> None:
    example = Example("one two three", 4.5, "four five six")
    (copy,) = copies([example], "delete", copies=1)
    assert copy.label == 4.5
    assert copy.pair is not None
    assert [len(words(text)) for text in (copy.text, copy.pair)] == [2, 2]


def test_what_can_not_be_changed_has_no_copy() -> None:
    examples = [Example(text, "x") for text in ("!!! 🙂", "word", "12 7")]
    assert copies(examples, "synonyms") == []
    assert copies(examples[:2], "delete") == []
    assert copies([Example("an odd one, 2024", "x")], "typos") == []


def test_a_mistaken_key_is_one_beside() -> None:
    assert {*KEYS_BESIDE["g"]} == {*"fhtyvb"}
    assert {*KEYS_BESIDE["q"]} == {*"wa"}
    assert all(key in KEYS_BESIDE[other] for key, beside in KEYS_BESIDE.items() for other in beside)


def test_texts_with_typos_are_as_many_and_the_same_each_time() -> None:
    examples = [Example("a film with lovely actors and brilliant story", "good"), Example("no", "bad")]
    found = with_typos(examples, 0.5)
    assert found == with_typos(examples[::-1], 0.5)[::-1]
    assert found[1] == examples[1]
    pairs = zip(words(examples[0].text), words(found[0].text), strict=True)
    assert sum(one != other for one, other in pairs) == 4


@pytest.mark.parametrize("share", [0.1, 1.0])
def test_unspaced_writing_has_a_word_for_each_character(share: float) -> None:
    assert words("酒店很好。") == ["酒", "店", "很", "好"]
    after = changed("酒店很好。", KINDS["insert"], Random(1), share, {"好": ("棒",)})
    assert " " not in after
    assert after.count("棒") == max(1, round(4 * share))
