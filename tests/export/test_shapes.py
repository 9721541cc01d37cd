"""Cutting a model and teaching what is left: real, tiny models of several families."""

import copy

import numpy as np
import pytest
import torch
from transformers import AutoTokenizer

from strop.errors import InputError
from strop.export.bundle import PackedLayout, Session
from strop.export.graph import export_graph
from strop.export.packed import packed_layout
from strop.export.recipe import Shape
from strop.export.shapes import Lesson, cut, measure_importance, teach, trim_vocabulary
from strop.export.shapes.anatomy import anatomy
from strop.tasks import IGNORED, TASKS
from strop.train.batches import EncodedSplit, Item
from strop.train.encoder import Encoder
from strop.train.preprocessing import Preprocessing
from strop.train.run import Run

TASK = TASKS["text-classification"]
LABELS = ("bad", "good", "plain")


def classifier(make_encoder, folder, family="bert"):
    """A tiny random classifier of two layers."""
    make_encoder(folder, family)
    torch.manual_seed(0)
    model, _ = Encoder.open(str(folder)).model(TASK, LABELS, attention="eager")
    return model.eval()


def items(count=64):
    random = np.random.default_rng(0)
    return [
        Item(
            input_ids=random.integers(5, 30, size=random.integers(3, 20)).tolist(),
            labels=int(random.integers(3)),
        )
        for _ in range(count)
    ]


def rows(texts):
    return [(text,) for text in texts]


def logits(model, texts):
    with torch.no_grad():
        return torch.cat([model(torch.tensor([text["input_ids"]])).logits for text in texts])


@pytest.mark.parametrize("family", ["bert", "distilbert", "electra", "mpnet", "roberta"])
def test_a_cut_model_is_smaller_and_its_graph_agrees_with_torch(make_encoder, tmp_path, family):
    model = classifier(make_encoder, tmp_path / family, family)
    shape = Shape(layers=1, heads=None if family == "mpnet" else 1, ffn=50)
    smaller, kept = cut(model, shape, measure_importance(model, rows(items()), TASK))
    assert len(kept) == 1
    assert smaller.num_parameters() < model.num_parameters()
    names = anatomy(smaller)
    (layer,) = names.layers_of(smaller)
    (whole, _) = names.layers_of(model)
    assert layer.get_submodule(names.up).out_features == whole.get_submodule(names.up).out_features // 2
    layout = packed_layout(smaller)
    assert isinstance(layout, PackedLayout)
    export_graph(
        smaller, TASK, layout, [np.array(text["input_ids"]) for text in items(6)], tmp_path / "model.onnx"
    )
    assert Session(tmp_path / "model.onnx").run(layout.feeds([np.array([3, 4, 5])])).shape == (1, 3)


def test_what_does_nothing_is_cut_first_and_the_answers_stay(make_encoder, tmp_path):
    model = classifier(make_encoder, tmp_path)
    names = anatomy(model)
    first, second = names.layers_of(model)
    idle_neurons = torch.arange(0, first.get_submodule(names.down).in_features, 2)
    idle_heads = slice(0, 16)  # two of the four
    with torch.no_grad():
        for layer in (first, second):
            layer.get_submodule(names.down).weight[:, idle_neurons] = 0
            layer.get_submodule(names.mix).weight[:, idle_heads] = 0
    texts = items()
    smaller, _ = cut(model, Shape(heads=2, ffn=50), measure_importance(model, rows(texts), TASK))
    assert torch.allclose(logits(smaller, texts), logits(model, texts), atol=1e-5)


def test_the_layer_that_changes_least_goes_first(make_encoder, tmp_path):
    model = classifier(make_encoder, tmp_path)
    names = anatomy(model)
    first, second = names.layers_of(model)
    with torch.no_grad():
        for name in (names.mix, names.down):
            for layer in (first, second):
                layer.get_submodule(name).weight.mul_(20 if layer is first else 0.001)
    assert measure_importance(model, rows(items()), TASK).dispensable == (1,)


def test_the_model_that_was_measured_and_cut_is_as_before(make_encoder, tmp_path):
    model = classifier(make_encoder, tmp_path)
    before = copy.deepcopy(model.state_dict())
    cut(model, Shape(layers=1, heads=1, ffn=25), measure_importance(model, rows(items()), TASK))
    after = model.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@pytest.mark.parametrize("labelled", [True, False])
def test_a_taught_model_answers_like_its_teacher_again(tiny_run, labelled):
    run = Run.open(tiny_run)
    model, splits = run.merged_model(), run.splits()
    tokenizer = AutoTokenizer.from_pretrained(run.tokenizer_file.parent)
    train, test = (
        EncodedSplit.of(part, Preprocessing(tokenizer, TASK, run.labels, run.max_tokens)).items
        for part in (splits.train, splits.test)
    )
    student, kept = cut(
        model, Shape(layers=1, heads=1, ffn=25), measure_importance(model, rows(train), TASK)
    )

    def distance():
        ours, theirs = (logits(one, test).softmax(-1) for one in (student, model))
        return float((ours - theirs).abs().mean())

    before, steps = distance(), []
    texts = train if labelled else [Item(item, labels=IGNORED) for item in train]
    lesson = Lesson(rows(texts), epochs=6, task=TASK, learning_rate=2e-3, batch_size=16)
    teach(student, model, kept, lesson, lambda done, total: steps.append((done, total)))
    assert distance() < before / 2
    assert steps[-1] == (72, 72)
    assert not student.training


@pytest.mark.parametrize(
    ("family", "shape", "words"),
    [
        ("bert", Shape(layers=2), "layers2: the model has 2 layers; ask for fewer"),
        ("bert", Shape(heads=4), "heads4: the model has 4 heads; ask for fewer"),
        ("mpnet", Shape(heads=1), "heads1: the heads of mpnet share one table"),
    ],
)
def test_a_shape_that_the_model_does_not_have_is_refused(make_encoder, tmp_path, family, shape, words):
    model = classifier(make_encoder, tmp_path, family)
    with pytest.raises(InputError, match=words):
        cut(model, shape, measure_importance(model, rows(items(8)), TASK))


def test_a_trimmed_vocabulary_changes_nothing_for_texts_of_kept_tokens(make_encoder, tmp_path):
    model = classifier(make_encoder, tmp_path / "encoder")
    texts = items(16)
    smaller = copy.deepcopy(model)
    used = {token for text in texts for token in text["input_ids"]}
    trim_vocabulary(smaller, used, unknown=0)
    assert torch.allclose(logits(smaller, texts), logits(model, texts), atol=1e-6)
    first, *_, last = sorted(used)
    strange, unknown = ([Item(input_ids=[first, token, last], labels=0)] for token in (last + 1, 0))
    assert torch.allclose(logits(smaller, strange), logits(model, unknown), atol=1e-6)
    layout = packed_layout(smaller)
    arrays = [np.array(text["input_ids"]) for text in texts]
    for name, one in (("whole", model), ("smaller", smaller)):
        export_graph(one, TASK, layout, arrays[:4], tmp_path / f"{name}.onnx")
    whole, trimmed = ((tmp_path / f"{name}.onnx") for name in ("whole", "smaller"))
    assert np.array_equal(
        Session(whole).run(layout.feeds(arrays)), Session(trimmed).run(layout.feeds(arrays))
    )
    assert trimmed.stat().st_size < whole.stat().st_size
