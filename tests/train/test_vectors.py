"""What brings vectors together, against plain loops; how a text's vector is made; what is refused."""

import math
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cosine_similarity

from strop.errors import InputError
from strop.tasks import TASKS, Example
from strop.train.batches import Collator, Item
from strop.train.config import TrainConfig
from strop.train.encoder import Encoder
from strop.train.heads import HEADS
from strop.train.heads.embedding import SCALE
from strop.train.losses.objective import own_objective
from strop.train.methods import METHODS
from strop.train.predict import predict
from strop.train.processes import require_company
from strop.train.weights import load_to_score, save_weights, trainable

CONTRAST, COSENT = HEADS["contrast-mean"], HEADS["cosent-mean"]
SEARCH, ALIKE = TASKS["sentence-embedding"], TASKS["sentence-similarity"]
texts = st.sampled_from("abcde")
NO_TARGET = math.nan


def _vectors(count: int) -> torch.Tensor:
    return torch.randn((count, 6), generator=torch.Generator().manual_seed(count))


@given(st.lists(st.tuples(texts, texts, texts | st.none()), min_size=1, max_size=6))
def test_a_positive_is_told_from_all_texts_of_the_batch_that_are_not_as_right(
    rows: list[tuple[str, str, str | None]],
) -> None:
    examples = [Example(anchor, negative, positive) for anchor, positive, negative in rows]
    inputs = [one for example in examples for one in SEARCH.inputs(example)]
    vectors = _vectors(len(inputs))
    labels = torch.tensor([SEARCH.target(one, (), ()) for one in inputs])
    choices = [(one.text, vector) for one, vector in zip(inputs, vectors, strict=True) if one.label != 0]
    places = [place for place, one in enumerate(inputs) if one.label == 0]
    losses = []
    for place, example in zip(places, examples, strict=True):
        right = {one.pair for one in examples if one.text == example.text} | {example.text}
        own = math.exp(SCALE * cosine_similarity(vectors[place], vectors[place + 1], dim=0))
        wrong = [
            math.exp(SCALE * cosine_similarity(vectors[place], vector, dim=0))
            for text, vector in choices
            if text not in right
        ]
        losses.append(-math.log(own / (own + sum(wrong))))
    found = float(CONTRAST.loss(vectors, labels))
    assert found == pytest.approx(sum(losses) / len(losses), abs=1e-4)
    without = torch.cat((labels, torch.full((2, 2), NO_TARGET)))
    assert float(CONTRAST.loss(torch.cat((vectors, vectors[:2])), without)) == pytest.approx(
        found, abs=1e-4
    )


@given(st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_cosent_counts_the_pairs_of_pairs_in_the_wrong_order(scores: list[int]) -> None:
    vectors = _vectors(2 * len(scores))
    labels = torch.tensor([one for score in scores for one in (float(score), NO_TARGET)])
    cosines = cosine_similarity(vectors[0::2], vectors[1::2]).tolist()
    total = 1.0
    for high, above in zip(scores, cosines, strict=True):
        for low, below in zip(scores, cosines, strict=True):
            if high > low:
                total += math.exp(SCALE * (below - above))
    assert float(COSENT.loss(vectors, labels)) == pytest.approx(math.log(total), rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("head", [CONTRAST, COSENT])
def test_a_batch_that_teaches_nothing_can_be_stepped_through(head: object) -> None:
    task = SEARCH if head is CONTRAST else ALIKE
    vectors = _vectors(2).requires_grad_()
    inputs = task.inputs(Example("one", None if head is CONTRAST else 1.0, "two"))
    loss = head.loss(vectors, torch.tensor([task.target(one, (), ()) for one in inputs]))
    loss.backward()
    assert loss.item() == 0
    assert not vectors.grad.any()
    nothing = torch.tensor([task.no_target((), ())] * 2)
    assert head.loss(vectors, nothing) == 0


def test_padding_and_virtual_tokens_are_not_part_of_a_texts_vector() -> None:
    mask = torch.tensor([[1, 1, 1], [1, 0, 0]])
    states = torch.randn((2, 5, 4))  # two virtual tokens, then three places
    found = CONTRAST.logits(SimpleNamespace(last_hidden_state=states), mask)
    assert torch.allclose(found, torch.stack([states[0, 2:].mean(dim=0), states[1, 2]]))
    first = HEADS["cosent-cls"].logits(SimpleNamespace(last_hidden_state=states), mask)
    assert torch.equal(first, states[:, 2])


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_vectors_and_gives_them_back_from_disk(
    method: str, tmp_path: Path, tiny_encoder: Path
) -> None:
    config = TrainConfig(
        Path("data"), model=str(tiny_encoder), out=tmp_path, method=method, virtual_tokens=3, threads=1
    )
    encoder = Encoder.open(config.model)
    model = trainable(encoder, SEARCH, ("embedding",), config, 20)
    items = [
        Item(input_ids=[2, *range(10, 13 + place), 3], labels=[float(place % 2), float(place)])
        for place in range(6)
    ]
    objective, batch = own_objective(CONTRAST), Collator(1)([tuple(items)])
    trained = [one for one in model.train(False).parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(trained, lr=config.peak_learning_rate)
    losses = []
    for _ in range(6):
        loss = objective(model, batch)
        losses.append(loss.item())
        loss.backward()
        optimiser.step()
        optimiser.zero_grad()
    assert losses[-1] < losses[0]
    save_weights(model, tmp_path)
    found = load_to_score(tmp_path, encoder.name, SEARCH, ("embedding",), method)
    ours, theirs = (predict(one, items, SEARCH, 1) for one in (model, found))
    np.testing.assert_allclose(ours, theirs, atol=1e-4)


def test_a_batch_of_one_is_refused() -> None:
    with pytest.raises(InputError, match="--batch-size is 1, but --task sentence-similarity compares"):
        require_company(ALIKE, 1)
    require_company(TASKS["text-classification"], 1)


def test_several_processes_are_refused(tmp_path: Path, tiny_encoder: Path) -> None:
    for name in ("train", "validation", "test"):
        rows = (f'{{"anchor": "{name} {n}", "positive": "{name} is {n}"}}\n' for n in range(3))
        (tmp_path / f"{name}.jsonl").write_text("".join(rows))
    command = (
        *(sys.executable, "-m", "strop", "train", str(tmp_path), "--task", "sentence-embedding"),
        *("--model", str(tiny_encoder), "--out", str(tmp_path / "run"), "--max-tokens", "32"),
    )
    environment = {"WORLD_SIZE": "2", "RANK": "0", "PATH": "/usr/bin:/bin"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100)
    assert done.returncode == 2
    assert "--task sentence-embedding is trained by one process" in done.stderr
    assert not (tmp_path / "run").exists()
