"""Causal language models: what is learnt of a conversation, how it is scored, what a run leaves."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from strop.errors import InputError
from strop.export.config import ExportConfig
from strop.export.trained import open_run
from strop.tasks import IGNORED, TASKS, Example
from strop.train.batches import Collator, EncodedSplit
from strop.train.chat import PLAIN_TEMPLATE, render
from strop.train.command import train
from strop.train.config import TrainConfig
from strop.train.encoder import Encoder
from strop.train.examples import Columns, read_examples
from strop.train.heads import HEADS, logits_of
from strop.train.merged import MergeConfig, merge
from strop.train.predict import predict
from strop.train.preprocessing import Preprocessing
from strop.train.run import Run

TASK = TASKS["text-generation"]
HEAD = HEADS["causal-lm"]
Write = Callable[[Path, list[dict[str, Any]]], Path]


@pytest.fixture(scope="module")
def tokenizer(tiny_decoder: Path) -> PreTrainedTokenizerFast:
    """The tiny decoder's, which has a template."""
    return Encoder.open(str(tiny_decoder), TASK).tokenizer()


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory, tiny: Any) -> Path:
    """Prompts that are answered by the name of their mood."""
    folder = tmp_path_factory.mktemp("replies")
    rows = [{"prompt": row["text"], "response": row["label"]} for row in tiny.rows(256)]
    for name, place in (("train", slice(192)), ("validation", slice(192, 224)), ("test", slice(224, 256))):
        tiny.write(folder / f"{name}.jsonl", rows[place])
    return folder


def _config(data: Path, decoder: Path, out: Path, **options: Any) -> TrainConfig:
    few: dict[str, Any] = {"epochs": 4, "batch_size": 8, "max_tokens": 64, "precision": "fp32"}
    return TrainConfig(
        data, model=str(decoder), out=out, task="text-generation", threads=1, **(few | options)
    )


@pytest.fixture(scope="module")
def run(data: Path, tiny_decoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A finished LoRA run."""
    out = tmp_path_factory.mktemp("runs") / "replies"
    train(_config(data, tiny_decoder, out, learning_rate=3e-3))
    return Run.open(out)


def _learnt(tokenizer: PreTrainedTokenizerFast, example: Example, max_tokens: int = 256) -> list[str]:
    """What follows the tokens that have a label, each stretch decoded."""
    (item,) = HEAD.encode([example], Preprocessing(tokenizer, TASK, (), max_tokens)).items
    ids, labels = item["input_ids"], item["labels"]
    assert len(ids) == len(labels)
    assert labels[-1] == IGNORED
    stretches: list[list[int]] = [[]]
    for following, label in zip(ids[1:], labels, strict=False):
        if label == IGNORED:
            stretches.append([])
        else:
            assert label == following
            stretches[-1].append(label)
    return [tokenizer.decode(stretch) for stretch in stretches if stretch]


texts = st.text(st.characters(codec="utf-8"), min_size=1).filter(
    lambda text: text.strip() and not {"</s>", "<s>", "<pad>"} & {text} and "<" not in text
)


@given(prompt=texts, response=texts)
def test_the_reply_is_learnt_and_its_end_and_nothing_of_the_prompt(
    tokenizer: PreTrainedTokenizerFast, prompt: str, response: str
) -> None:
    assert _learnt(tokenizer, Example(prompt, response), 4096) == [f"{response}</s>"]


@given(st.lists(texts, min_size=2, max_size=7))
def test_every_reply_of_a_conversation_is_learnt(
    tokenizer: PreTrainedTokenizerFast, turns: list[str]
) -> None:
    example = Example(TASK.read_text(turns), None)
    assert _learnt(tokenizer, example, 4096) == [f"{reply}</s>" for reply in turns[1::2]]


def test_messages_may_have_a_system_prompt_and_end_with_a_question(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    roles = ("system", "user", "assistant", "user")
    messages = [{"role": role, "content": f"the {role}", "name": "x"} for role in roles]
    text = TASK.read_text(messages)
    assert TASK.read_text(text) == text  # as a CSV file would hold it
    assert _learnt(tokenizer, Example(text, None)) == ["the assistant</s>"]
    # With a response beside it, the conversation is what comes before.
    assert _learnt(tokenizer, Example(text, "it is so")) == ["the assistant</s>", "it is so</s>"]


def test_what_is_too_long_loses_its_end(tokenizer: PreTrainedTokenizerFast) -> None:
    examples = [Example("the film", "was a story")]
    whole, cut = (
        HEAD.encode(examples, Preprocessing(tokenizer, TASK, (), limit)).items[0] for limit in (99, 10)
    )
    assert cut["input_ids"] == whole["input_ids"][:10]


def test_a_tokenizer_without_a_template_gets_the_plain_one(
    tmp_path: Path, make_decoder: Callable[..., None]
) -> None:
    make_decoder(tmp_path, "gpt2")
    plain = Encoder.open(str(tmp_path), TASK).tokenizer()
    assert _learnt(plain, Example("who is it", "an actor")) == [" an actor</s>"]
    assert plain.chat_template == PLAIN_TEMPLATE
    plain.eos_token = None
    plain.chat_template = None
    with pytest.raises(InputError, match="neither a chat template nor an end-of-text token"):
        HEAD.encode([Example("who", "he")], Preprocessing(plain, TASK, (), 99))


def test_a_template_that_drops_what_it_wrote_before_teaches_the_last_reply(
    tokenizer: PreTrainedTokenizerFast,
) -> None:
    messages = [{"role": ("user", "assistant")[place % 2], "content": "abcd"[place]} for place in range(4)]
    before = tokenizer.chat_template
    try:
        tokenizer.chat_template = (
            "{% for one in messages %}{{ '<' + one['role'] + '>' + one['content'] }}"
            "{% if loop.last and one['role'] == 'assistant' %}!{% endif %}{% endfor %}"
            "{% if add_generation_prompt %}<assistant>{% endif %}"
        )
        chat = render(tokenizer, messages)
        assert [chat.text[slice(*reply)] for reply in chat.replies] == ["d!"]
        tokenizer.chat_template = "{{ messages[-1]['content'] }}{% if add_generation_prompt %}?{% endif %}"
        with pytest.raises(InputError, match="replies can't be told from prompts"):
            render(tokenizer, messages)
        tokenizer.chat_template = "{{ raise_exception('roles must alternate') }}"
        with pytest.raises(InputError, match=r"refuses the conversation .*'a' \(roles must alternate\)"):
            render(tokenizer, messages)
    finally:
        tokenizer.chat_template = before


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ([], "is empty"),
        (["who", " "], r"message 2 the content ' '"),
        ([{"role": "user"}], "give each a role and a content"),
        ([{"role": "user", "content": ["text"]}], r"message 1 the content \['text'\]"),
        ([1, 2], "has as message 1 1"),
        ('[{"role": "user", "content": ', "is no JSON"),
        ("  ", "is blank"),
    ],
)
def test_a_bad_conversation_is_refused_with_its_line(
    tmp_path: Path, tiny: Any, value: object, reason: str
) -> None:
    path = tiny.write(tmp_path / "bad.jsonl", [{"messages": value}])
    columns = Columns.of("text-generation", text="messages")
    with pytest.raises(InputError, match=f"line 1: 'messages' .*{reason}"):
        read_examples(path, columns)


@pytest.mark.parametrize("text", ["a prompt", TASK.read_text(["one turn"])])
def test_what_has_no_reply_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="in the train split has no reply; name the column"):
        TASK.refuse({"train": [Example(text, None)]})


def _batch(tokenizer: PreTrainedTokenizerFast) -> tuple[EncodedSplit, dict[str, torch.Tensor]]:
    examples = [
        Example("the film was a", "superb story"),
        Example("so", "it is"),
        Example(TASK.read_text(["is it", "the film", "and", "awful so so"]), None),
    ]
    split = HEAD.encode(examples, Preprocessing(tokenizer, TASK, (), 64))
    return split, Collator(0)([(item,) for item in split.items])


def test_logits_at_the_replies_alone_are_those_of_the_whole(
    tiny_decoder: Path, tokenizer: PreTrainedTokenizerFast
) -> None:
    model, untrained = Encoder.open(str(tiny_decoder), TASK).model(TASK, ())
    assert untrained == ()
    model.train(False).requires_grad_(False)
    split, batch = _batch(tokenizer)
    known = batch["labels"] != IGNORED
    logits, labels = HEAD.answers(model, batch)
    whole = logits_of(HEAD, model, batch)
    assert whole.shape == (*batch["input_ids"].shape, model.config.vocab_size)
    torch.testing.assert_close(logits, whole[known])
    wanted = cross_entropy(whole.flatten(0, 1), batch["labels"].flatten())
    torch.testing.assert_close(HEAD.loss(logits, labels), wanted)
    # Shifted by transformers itself from labels in their places.
    ids = batch["input_ids"]
    in_place = torch.full_like(ids, IGNORED)
    in_place[:, 1:][known[:, :-1]] = ids[:, 1:][known[:, :-1]]
    inputs = {"input_ids": ids, "attention_mask": batch["attention_mask"]}
    torch.testing.assert_close(model(**inputs, labels=in_place).loss, wanted)

    counts = torch.tensor(np.stack(predict(model, split.items, TASK, 0)))
    for row, logits, labels in zip(counts, whole, batch["labels"], strict=True):
        there = labels != IGNORED
        found = [cross_entropy(logits[there], labels[there], reduction="sum"), there.sum()]
        hits = (logits[there].argmax(1) == labels[there]).sum()
        torch.testing.assert_close(row, torch.tensor([*found, hits, hits == there.sum()]).float())


def test_a_batch_without_a_label_costs_nothing(tiny_decoder: Path) -> None:
    model, _ = Encoder.open(str(tiny_decoder), TASK).model(TASK, ())
    ids = torch.arange(3, 11)[None]
    batch = {
        "input_ids": ids,
        "attention_mask": torch.ones_like(ids),
        "labels": torch.full_like(ids, IGNORED),
    }
    logits, labels = HEAD.answers(model, batch)
    loss = HEAD.loss(logits, labels)
    loss.backward()
    assert loss == 0
    assert HEAD.summary(logits, batch["labels"]).tolist() == [[0, 0, 0, 0]]


def test_exact_matches_are_those_of_greedy_generation(run: Run, tokenizer: PreTrainedTokenizerFast) -> None:
    model = run.merged_model()
    split = HEAD.encode(run.splits().test, Preprocessing(tokenizer, TASK, (), run.max_tokens))
    found = [bool(row[3]) for row in predict(model, split.items, TASK, 0)]
    for example, exact in zip(split.examples, found, strict=True):
        asked = tokenizer.apply_chat_template(
            [{"role": "user", "content": example.text}],
            add_generation_prompt=True,
            return_dict=True,
            return_tensors="pt",
        )
        reply = model.generate(**asked, max_new_tokens=12, do_sample=False, pad_token_id=0)[0]
        written = tokenizer.decode(reply[asked["input_ids"].shape[1] :]).removesuffix("</s>")
        assert exact == (written == example.label)
    assert any(found)


def test_a_run_lowers_the_perplexity_and_says_what_it_was(run: Run) -> None:
    test, baselines = run.metrics["test"], run.metrics["baselines"]
    ((name, before),) = baselines.items()
    assert name.endswith(", not fine-tuned")
    assert set(test) == {"loss", "perplexity", "exact_match"}
    assert test["perplexity"] == pytest.approx(np.exp(test["loss"]))
    assert test["perplexity"] * 10 < before["perplexity"]
    report = (run.root / "report.md").read_text()
    assert f"| {before['loss'] - test['loss']:+.4f} |" in report
    rows = [json.loads(line) for line in (run.root / "history.jsonl").read_text().splitlines()]
    last = [row for row in rows if "validation_loss" in row][-1]
    assert last["validation_perplexity"] == pytest.approx(np.exp(last["validation_loss"]))


def test_a_run_is_merged_with_its_template_and_not_exported(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"can't export or serve yet; .*: strop merge {run.root} --out"):
        open_run(ExportConfig(run.root))
    out = tmp_path / "merged"
    merge(MergeConfig(run.root, out=out))
    model = AutoModelForCausalLM.from_pretrained(out)
    assert model.config.use_cache
    ids = torch.arange(3, 19)[None]
    torch.testing.assert_close(model(ids).logits, run.merged_model()(ids).logits)
    ours = AutoTokenizer.from_pretrained(out).chat_template
    assert ours == AutoTokenizer.from_pretrained(run.base_model).chat_template


@pytest.mark.parametrize(
    ("family", "method"),
    [
        ("llama", "full"),
        ("qwen2", "prefix"),
        ("gpt2", "lora"),
        ("mistral", "dora"),
    ],
)
def test_families_and_methods_train_with_checkpointed_activations(
    tmp_path: Path, tiny: Any, make_decoder: Callable[..., None], family: str, method: str
) -> None:
    make_decoder(tmp_path / "base", family)
    rows = [{"turns": [row["text"], row["label"]]} for row in tiny.rows(32)]
    config = _config(
        tiny.write(tmp_path / "chats.jsonl", rows),
        tmp_path / "base",
        tmp_path / "run",
        epochs=1,
        text_column="turns",
        method=method,
        virtual_tokens=3,
        gradient_checkpointing=method != "prefix",
    )
    train(replace(config, check=True))
    train(config)
    assert Run.open(config.out).metrics["test"]["loss"] > 0


def test_weights_in_half_precision_are_trained_in_fp32(
    tmp_path: Path, make_decoder: Callable[..., None]
) -> None:
    make_decoder(tmp_path, "llama")
    AutoModelForCausalLM.from_pretrained(tmp_path).to(torch.bfloat16).save_pretrained(tmp_path)
    model, _ = Encoder.open(str(tmp_path), TASK).model(TASK, ())
    assert {one.dtype for one in model.parameters()} == {torch.float32}


def test_an_encoder_is_refused_and_a_decoder_elsewhere(tiny_encoder: Path, tiny_decoder: Path) -> None:
    with pytest.raises(InputError, match="is of type 'bert', which is no decoder; give a causal"):
        Encoder.open(str(tiny_encoder), TASK)
    with pytest.raises(InputError, match="is of type 'llama', which is refused: packed export needs"):
        Encoder.open(str(tiny_decoder), TASKS["text-classification"])


def test_losses_over_classes_are_refused(data: Path, tiny_decoder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--label-smoothing needs a task whose answer is one of some"):
        train(_config(data, tiny_decoder, tmp_path / "run", label_smoothing=0.1))
