"""Question answering in training: every method finds spans, and the baselines are honest."""

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import example, given
from hypothesis import strategies as st

from strop.errors import InputError
from strop.tasks import TASKS, Example
from strop.tasks.question_answering import ALWAYS, MAYBE
from strop.train.baseline import score_baselines
from strop.train.config import TrainConfig
from strop.train.data.shares import Shares
from strop.train.data.splits import Splits
from strop.train.encoder import Encoder
from strop.train.heads import HEADS, logits_of
from strop.train.methods import METHODS
from strop.train.weights import trainable

TASK = TASKS["question-answering"]
KNOWN = Example(
    "Where is the town Oslo?", ((29, "Norway"),), "Rain is wet. The town Oslo: in Norway. Snow."
)
NONE = Example("Why is it so?", (), "Because! Nobody knows.")


def _config(encoder: Path, **options: Any) -> TrainConfig:
    return TrainConfig(Path("data"), model=str(encoder), out=Path("run"), task=TASK.name, **options)


@pytest.mark.parametrize("method", METHODS)
def test_every_method_gives_two_logits_for_each_token_of_the_text(tiny_encoder: Path, method: str) -> None:
    config = _config(tiny_encoder, method=method, virtual_tokens=3, max_tokens=20)
    model = trainable(Encoder.open(str(tiny_encoder)), TASK, ALWAYS, config, 200)
    ids = torch.randint(5, 60, (2, 11), generator=torch.Generator().manual_seed(0))
    batch = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    logits = logits_of(HEADS[TASK.head], model, batch)
    assert logits.shape == (2, 11, 2)
    HEADS[TASK.head].loss(logits, torch.tensor([[1, 3], [0, 0]])).backward()
    trained = {name for name, one in model.named_parameters() if one.grad is not None}
    assert any("qa_outputs" in name for name in trained)


def test_fewer_tokens_than_windows_need_are_refused(tiny_encoder: Path) -> None:
    with pytest.raises(InputError, match=r"--max-tokens is 15; it must be at least 16"):
        _config(tiny_encoder, max_tokens=15)


def test_a_baseline_takes_what_is_new_in_the_sentence_most_like_the_question() -> None:
    found = score_baselines(TASK, [KNOWN], [KNOWN], ALWAYS)
    assert found == {"new words of the likest sentence": {"f1": pytest.approx(2 / 3), "exact_match": 0}}
    found = score_baselines(TASK, [KNOWN, NONE], [KNOWN, NONE, NONE], MAYBE)
    assert found["never an answer"] == {"f1": pytest.approx(2 / 3), "exact_match": pytest.approx(2 / 3)}


@given(st.text(max_size=40), st.text(min_size=1, max_size=60))
@example("", ":?0")  # a sentence without words comes first
def test_a_baseline_answers_any_question(question: str, context: str) -> None:
    assert score_baselines(TASK, [KNOWN], [Example(question, ((0, context[:1]),), context)], ALWAYS)


def test_a_context_is_in_one_split_with_all_of_its_questions() -> None:
    examples = [Example(f"{number}?", (), f"context {number % 9}") for number in range(90)]
    splits = Splits.of(examples, Shares(), TASK)
    contexts = [{example.pair for example in part} for part in splits.parts.values()]
    assert sum(map(len, contexts)) == len(set.union(*contexts)) == 9
