"""Heads that tell tokens: the language models' own, which come with them."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy
from transformers import PreTrainedTokenizerFast

from strop.tasks import IGNORED, Example, Floats, Span, Task
from strop.tasks.causal_lm import CausalLM as CausalLMTask

from ..batches import EncodedSplit, Item
from ..chat import give_template, render
from ..cloze import hide
from ..masking import Masking
from ..preprocessing import Preprocessing
from .head import Head, labelled, logits_of


class LanguageHead(Head):
    """Softmax over the vocabulary and cross-entropy, in nats, at the places that have a label.

    With 50,000 tokens to choose from, logits are most of the memory: they are computed only there.
    """

    pretrained = True
    # Such logits go to 30 and more, which fp32 rounds more coarsely: 1.03e-4 was seen at 34.
    tolerance = 1e-3
    # An encoder takes eight times as many, but has a thousandth of the logits.
    evaluation_batch = 8

    def answers(self, model: nn.Module, batch: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Logits [places, vocabulary] and token ids [places], of all places with a label."""
        labels = batch["labels"]
        known = labelled(labels)
        with _answering_only(model, known):
            return logits_of(self, model, batch)[0], labels[known]

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Of logits [places, vocabulary] and token ids [places]."""
        if not len(labels):
            return logits.sum()
        return cross_entropy(logits.float(), labels)

    def summary(self, logits: Tensor, labels: Tensor) -> Tensor:
        """``COUNTS`` of each input, [n, 4], from logits [places, vocabulary] and labels [n, tokens]."""
        known = labelled(labels)
        nats = cross_entropy(logits.float(), labels[known], reduction="none")
        hits = (logits.argmax(dim=-1) == labels[known]).float()
        each = torch.stack((nats, torch.ones_like(nats), hits), dim=1)
        inputs = known.nonzero()[:, 0]
        sums = each.new_zeros(len(labels), 3).index_add_(0, inputs, each)
        whole = (sums[:, 1] > 0) & (sums[:, 1] == sums[:, 2])
        return torch.cat((sums, whole[:, None].float()), dim=1)

    def outputs(self, kept: Floats, task: Task) -> Floats:
        """``COUNTS`` as they are."""
        return kept


class CausalLM(LanguageHead):
    """The next token, of the replies in a conversation."""

    name = "causal-lm"
    model_class = "AutoModelForCausalLM"
    adapter_type = "CAUSAL_LM"
    modules = ()
    decoder = True
    # Nothing is generated, so keys and values are not kept.
    options = MappingProxyType({"use_cache": False})

    def encode(self, examples: Sequence[Example], preprocessing: Preprocessing) -> EncodedSplit:
        """Conversations as the tokenizer's chat template writes them, their ends cut off where they are
        longer than ``max_tokens``; the label of a token is the next one where that is of a reply.

        A tokenizer without a template is given ``PLAIN_TEMPLATE``. Raises ``InputError`` where a template
        doesn't take a conversation.
        """
        tokenizer, task = preprocessing.tokenizer, preprocessing.task
        assert isinstance(task, CausalLMTask)  # noqa: S101
        give_template(tokenizer)
        chats = [render(tokenizer, task.messages(example)) for example in examples]
        encoded = tokenizer(
            [chat.text for chat in chats],
            add_special_tokens=False,  # the template writes them
            truncation=True,
            max_length=preprocessing.max_tokens,
            padding=False,
            return_offsets_mapping=True,
        )
        rows = zip(encoded["input_ids"], encoded["offset_mapping"], chats, strict=True)
        items = [
            Item(input_ids=ids, labels=_next(ids, offsets, chat.replies)) for ids, offsets, chat in rows
        ]
        return EncodedSplit(examples, [1] * len(items), items, [()] * len(items))


class MaskedLM(LanguageHead):
    """The hidden tokens, told from those on both sides of them.

    An encoder may come without it, as a sentence encoder does. Its last layer is the embeddings, so what is
    new is the layer before that, which an adapter brings, and a bias of each token, which begins at 0 and
    stays as it is beside an adapter: peft could only keep it together with a copy of all embeddings.
    """

    name = "masked-lm"
    tells_tokens = True
    model_class = "AutoModelForMaskedLM"
    adapter_type = "FEATURE_EXTRACTION"  # peft has no name for it; this one adds nothing
    modules = (
        "predictions.transform",  # BERT
        "vocab_transform",  # DistilBERT
        "vocab_layer_norm",
        "generator_predictions",  # ELECTRA
        "lm_head.dense",  # MPNet, RoBERTa, XLM-RoBERTa
        "lm_head.layer_norm",
    )
    zeros = (
        "predictions.bias",
        "predictions.decoder.bias",  # the same
        "vocab_projector.bias",
        "generator_lm_head.bias",
        "lm_head.bias",
        "lm_head.decoder.bias",
    )

    def encode(self, examples: Sequence[Example], preprocessing: Preprocessing) -> EncodedSplit:
        """Texts with the same tokens hidden each time, and others each epoch where they are learnt.

        Raises ``InputError`` for a tokenizer without a mask token.
        """
        masking = Masking.of(preprocessing.tokenizer)
        whole = super().encode(examples, replace(preprocessing, labelled=False))
        items = [masking.held_out(item["input_ids"]) for item in whole.items]
        return replace(whole, items=items, renew=masking.renew)

    def questions(
        self, examples: Sequence[Example], tokenizer: PreTrainedTokenizerFast, max_tokens: int
    ) -> list[Example]:
        """Those with a token hidden; its id is the label. One with none that can be hidden is left out."""
        hidden = hide([example.text for example in examples], tokenizer, max_tokens)
        return [Example(one.text, float(one.token)) for one in hidden]


def _next(ids: Sequence[int], offsets: Sequence[Span], replies: Sequence[Span]) -> list[int]:
    """For each token the next, if that begins in a reply."""
    told = [
        token if any(begin <= start < end for begin, end in replies) else IGNORED
        for token, (start, _) in zip(ids, offsets, strict=True)
    ]
    return [*told[1:], IGNORED]


@contextmanager
def _answering_only(model: nn.Module, places: Tensor) -> Iterator[None]:
    """Have the model compute logits [1, places, vocabulary] at the given places alone, bool [n, tokens].

    Every family's last layer takes hidden states [n, tokens, width], which may have virtual tokens before
    the text's.
    """

    def select(module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Tensor]:
        return (inputs[0][:, -places.shape[1] :][places][None],)

    # Of several processes each has its model in a wrapper.
    last: nn.Module = getattr(model, "module", model).get_output_embeddings()  # type: ignore[operator]
    hook = last.register_forward_pre_hook(select)
    try:
        yield
    finally:
        hook.remove()
