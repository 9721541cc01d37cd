"""Texts said again in other words, by translating them into another language and back.

Sennrich, Haddow and Birch, "Improving Neural Machine Translation Models with Monolingual Data", ACL 2016;
as augmentation Edunov et al., "Understanding Back-Translation at Scale", EMNLP 2018.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from rich.progress import track
from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

from strop.errors import InputError
from strop.tasks import Example

from ..device import best_device
from ..encoder import UNREADABLE, quieten
from .copies import texts_of, with_texts
from .words import places, split

BATCH = 16
BEAMS = 4
LONGER = 2
"""A translation's tokens, at most, for each of its source's."""
UNBOUNDED = 512
"""Tokens of a model that counts places relatively, such as T5: as many as it was trained on."""
FEWEST = 16
"""Tokens that a translation may have however short its source is."""


@dataclass(frozen=True)
class Translator:
    """A translation model for one direction, which needs no language codes."""

    name: str
    model: Any
    tokenizer: Any

    @classmethod
    def open(cls, name: str) -> Self:
        """Load a folder or hub id; ``InputError`` when it can't be had or doesn't translate."""
        quieten()
        try:
            tokenizer = AutoTokenizer.from_pretrained(name)
            model = AutoModelForSeq2SeqLM.from_pretrained(name)
        except (*UNREADABLE, ImportError) as error:
            reason = " ".join(str(error).split())
            raise InputError(
                f"--back-translate {name} can't be loaded ({reason:.160}…); give a translation model's"
                " folder, or a hub id that this machine can reach"
            ) from error
        return cls(name, model.to(best_device()).eval(), tokenizer)

    def translate(self, texts: Sequence[str]) -> list[str]:
        """The likeliest translation of each by beam search, in their order; what is too long is cut."""
        order = sorted(range(len(texts)), key=lambda place: -len(texts[place]))
        found = [""] * len(texts)
        batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
        for rows in track(batches, f"translating with {self.name}", transient=True):
            asked = self.tokenizer(
                [texts[place] for place in rows],
                return_tensors="pt",
                padding=True,
                truncation=True,
                max_length=self.longest,
                return_token_type_ids=False,
            ).to(self.model.device)
            tokens = max(FEWEST, LONGER * asked["input_ids"].shape[1])
            with torch.inference_mode():
                ids = self.model.generate(
                    **asked,
                    num_beams=BEAMS,
                    do_sample=False,
                    max_length=None,
                    max_new_tokens=min(tokens, self.longest - 1),
                )
            translated = self.tokenizer.batch_decode(ids, skip_special_tokens=True)
            for place, text in zip(rows, translated, strict=True):
                found[place] = text.strip()
        return found

    @property
    def longest(self) -> int:
        """Tokens that it has positions for."""
        return int(getattr(self.model.config, "max_position_embeddings", UNBOUNDED))


@dataclass(frozen=True)
class BackTranslation:
    """There and back."""

    there: Translator
    back: Translator

    @classmethod
    def open(cls, there: str, back: str) -> Self:
        """Both models; raises as ``Translator.open``."""
        return cls(Translator.open(there), Translator.open(back))

    def copies_of(self, examples: Sequence[Example]) -> Iterator[Example]:
        """A copy of each example, labels kept, where it came back as something else with words in it.

        Beam search draws nothing, but a text's neighbours in a batch can move the last bits of a score
        and so, rarely, a word.
        """
        texts = list(dict.fromkeys(text for example in examples for text in texts_of(example)))
        again = dict(zip(texts, self.back.translate(self.there.translate(texts)), strict=True))
        for example in examples:
            found = [again[text] for text in texts_of(example)]
            copy = with_texts(example, found)
            if all(places(split(text)) for text in found) and copy != example:
                yield copy
