"""Answers against SQuAD's own rules, and against trying every span."""

import collections
import json
import re
import string
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.tasks import TASKS, Example
from strop.tasks.question_answering import ALWAYS, MAYBE
from strop.tasks.spans import CANDIDATES, LONGEST
from strop.tasks.squad import squad_scores

TASK: Any = TASKS["question-answering"]
PHRASES = st.lists(
    st.sampled_from(["the", "A", "an", "Broncos", "broncos,", "24", "24–10", "!", "état", "The-end"]),
    max_size=6,
).map(" ".join)
LOGITS = st.integers(-40, 40).map(lambda value: value / 8)


def _normalised(text: str) -> str:
    """As in the evaluation script of SQuAD 2.0."""
    text = "".join(letter for letter in text.lower() if letter not in set(string.punctuation))
    return " ".join(re.sub(r"\b(a|an|the)\b", " ", text, flags=re.UNICODE).split())


def _f1(truth: str, answer: str) -> float:
    true, given_ = _normalised(truth).split(), _normalised(answer).split()
    same = sum((collections.Counter(true) & collections.Counter(given_)).values())
    if not true or not given_:
        return float(true == given_)
    if same == 0:
        return 0.0
    precision, recall = same / len(given_), same / len(true)
    return 2 * precision * recall / (precision + recall)


@given(PHRASES, st.lists(PHRASES, max_size=3))
def test_an_answer_is_scored_as_squads_script_does(answer: str, truths: list[str]) -> None:
    known = [truth for truth in truths if _normalised(truth)] or [""]
    f1, exact = squad_scores(answer, truths)
    assert f1 == pytest.approx(max(_f1(truth, answer) for truth in known))
    assert exact == max(_normalised(truth) == _normalised(answer) for truth in known)


# Of five tokens there are fifteen spans, fewer than the candidates that are kept of a window.
@given(
    st.lists(st.lists(st.tuples(LOGITS, LOGITS), min_size=1, max_size=5), min_size=1, max_size=3),
    st.booleans(),
)
def test_the_best_answer_is_that_of_trying_every_span_of_every_window(rows: Any, maybe: bool) -> None:
    labels = MAYBE if maybe else ALWAYS
    windows = [np.array([(0.25, 0.5), *tokens], dtype=np.float32) for tokens in rows]
    # Neighbours share all tokens but one.
    offsets = [
        [(0, 0), *((place + first, place + first + 1) for place in range(len(tokens)))]
        for first, tokens in enumerate(rows)
    ]
    spans: dict[Any, float] = {}
    for window, places in zip(windows, offsets, strict=True):
        for first in range(1, len(window)):
            for last in range(first, len(window)):
                span = places[first][0], places[last][1]
                spans[span] = max(spans.get(span, -99), float(window[first, 0] + window[last, 1]))
    reply = TASK.reply(windows, offsets, labels, count=len(spans))
    best = max(spans.values())
    weights = np.exp([*spans.values(), *([0.75] if maybe else [])])
    if maybe and best < 0.75:
        assert reply.answers == ()
    else:
        found = [spans[one[:2]] for one in reply.answers]
        assert found == sorted(spans.values(), reverse=True)[: len(found)]
        assert len(found) >= min(CANDIDATES, len(spans))
        if len(spans) <= CANDIDATES:
            assert sum(one.score for one in reply.answers) + reply.null_score == pytest.approx(1)
        assert reply.answers[0].score >= np.exp(best) / weights.sum() - 1e-9
    assert (reply.null_score > 0) == maybe


def test_an_answer_is_no_longer_than_it_may_be() -> None:
    output = np.zeros((LONGEST + 11, 2), dtype=np.float32)
    output[1, 0] = output[-1, 1] = 9
    offsets = [(0, 0), *((place, place + 1) for place in range(LONGEST + 10))]
    (found,) = TASK.reply([output], [offsets], ALWAYS).answers
    assert found.stop - found.start <= LONGEST


def test_there_is_no_answer_only_where_no_window_likes_one_better() -> None:
    offsets = [[(0, 0), (0, 3)], [(0, 0), (4, 7)]]
    unsure, sure = np.float32([[2, 2], [1, 1]]), np.float32([[1, 1], [2, 2]])
    assert TASK.reply([unsure], offsets[:1], MAYBE).answers == ()
    assert TASK.reply([unsure], offsets[:1], ALWAYS).answers[0][:2] == (0, 3)
    assert TASK.reply([unsure, sure], offsets, MAYBE).answers[0][:2] == (4, 7)
    assert TASK.reply([unsure], [[(0, 0), (0, 0)]], ALWAYS) == ((), 1.0)


def test_questions_are_scored_by_what_stands_in_their_context() -> None:
    context = "The Broncos won in 2016."
    known, none = Example("Who?", ((4, "Broncos"),), context), Example("Why?", (), context)
    offsets = [[(0, 0), (0, 3), (4, 11), (12, 15)]]
    output = np.float32([[1, 1], [3, 0], [0, 3], [0, 0]])
    unsure = np.float32([[9, 9], [3, 0], [0, 3], [0, 0]])
    tally = TASK.tally([[output], [unsure]], [offsets, offsets], [known, none], MAYBE)
    assert tally.tolist() == [[1, 1, 1], [1, 1, 1]]
    assert TASK.score(tally.sum(axis=0)) == {"f1": 1, "exact_match": 1}
    said = [json.loads(one) for one in TASK.tensor("answer", [[output], [unsure]], [offsets] * 2, MAYBE)]
    assert said[0].keys() == {"start", "stop", "score", "null_score"}
    assert (said[0]["start"], said[0]["stop"], said[1]["start"], said[1]["score"]) == (0, 11, None, None)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "is None; give a list of answers"),
        ([{"text": "Norway", "answer_start": 10}], "has 'Norway', which does not stand at character 10"),
        ([{"text": "", "answer_start": 0}], "has '', which does not stand"),
        (["Norway"], "has None, which does not stand"),
        ({"text": ["Oslo"], "answer_start": []}, "as many in answer_start as in text"),
    ],
)
def test_an_answer_that_is_not_there_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        TASK.read_label(value, "Where?", "Oslo is in Norway.")


def test_both_forms_of_answers_are_read() -> None:
    lists = {"text": ["Norway", "Oslo"], "answer_start": [11, 0]}
    objects = [{"text": "Norway", "answer_start": 11}, {"text": "Oslo", "answer_start": 0}]
    wanted = ((11, "Norway"), (0, "Oslo"))
    assert [TASK.read_label(one, "", "Oslo is in Norway.") for one in (lists, objects)] == [wanted] * 2


def test_a_model_that_never_met_a_question_without_an_answer_is_not_asked_any() -> None:
    known, none = Example("Who?", ((0, "He"),), "He."), Example("Why?", (), "He.")
    TASK.refuse({"train": [known, none], "validation": [known], "test": [none]})
    with pytest.raises(ValueError, match="'unanswerable' is in the test split but not in train"):
        TASK.refuse({"train": [known], "validation": [known], "test": [none]})
    with pytest.raises(ValueError, match="no question of the train split has an answer"):
        TASK.refuse({"train": [none], "validation": [none], "test": [none]})
