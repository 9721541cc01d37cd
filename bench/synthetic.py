"""Synthetic texts of given lengths, in the tokens that the server will count, out of real words."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from strop.errors import InputError
from strop.export.bundle import Bundle, TextEncoder

from .columns import Text
from .lengths import parse_lengths

TEXTS = 1000
"""So many are made; a run asks them in turn."""
MENDS = 8
"""How often a text may be mended whose words take other tokens together than alone."""


@dataclass(frozen=True)
class Words:
    """Words to choose from, as often as they came, and what each takes."""

    pool: Sequence[str]
    tokens: Mapping[str, int]
    """By word, after another one."""
    single: Sequence[str]
    """Those of the pool that take one token wherever they stand: they make up any count."""

    @classmethod
    def of(cls, encoder: TextEncoder, words: Sequence[str], source: str) -> Self:
        """Those of ``words`` that the model can read; ``InputError`` if none of them is one token."""
        distinct = list(dict.fromkeys(words))
        once = count_tokens(encoder, [(word,) for word in distinct])
        twice = count_tokens(encoder, [(f"{word} {word}",) for word in distinct])
        # A tokenizer may split a word otherwise where no space is before it.
        costs = {
            word: (two - one, one)
            for word, one, two in zip(distinct, once, twice, strict=True)
            if two > one and two <= encoder.max_tokens
        }
        least = min(once, default=0)
        pool = [word for word in words if word in costs]
        single = [word for word in pool if costs[word] == (1, least)]
        if not single:
            raise InputError(f"--lengths: no word of {source} is one token; give --texts with other words")
        return cls(pool, {word: cost for word, (cost, _) in costs.items()}, single)

    def mend(self, text: list[str], missing: int, chance: random.Random) -> None:
        """Append words of so many tokens; where there are too many, take words off the end first."""
        while missing < 0 and text:
            missing += self.tokens[text.pop()]
        while missing > 0:
            word = chance.choice(self.pool)
            if self.tokens[word] > missing:
                word = chance.choice(self.single)
            text.append(word)
            missing -= self.tokens[word]


def make_texts(bundle: Path, lengths: str, given: Sequence[Text], parts: int, seed: int) -> list[Text]:
    """``TEXTS`` texts of ``parts`` texts each, as long as ``lengths`` says, special tokens included.

    Their words are those of the ``given`` texts, as frequent as there; without any, whole words of the
    model's vocabulary. Of a lognormal's tails, what is shorter than a text or longer than the model takes
    gets that length. Raises ``InputError`` for what isn't a bundle, and for lengths that the model doesn't
    take or that no text has.
    """
    opened = Bundle.open(bundle)
    if opened.task.windowed:
        raise InputError(f"--lengths {lengths}: {opened.task.name} reads real texts alone; leave it out")
    encoder = opened.text_encoder()
    words = _words(encoder, given)
    least = shortest(encoder, words, parts)
    asked = parse_lengths(lengths)
    if asked.most > encoder.max_tokens:
        raise InputError(
            f"--lengths {lengths}: {asked.most} tokens are more than {opened.manifest.name} takes;"
            f" give at most {encoder.max_tokens}"
        )
    if asked.least < least:
        raise InputError(
            f"--lengths {lengths}: {asked.least} tokens are too few for a word and the special tokens;"
            f" give at least {least}"
        )
    chance = random.Random(seed)
    # A count from each equal share of the distribution, so that few texts have its percentiles too.
    wanted = [
        min(max(asked.quantile((number + 0.5) / TEXTS), least), encoder.max_tokens)
        for number in range(TEXTS)
    ]
    chance.shuffle(wanted)
    return compose(encoder, words, wanted, parts, chance)


def compose(
    encoder: TextEncoder, words: Words, wanted: Sequence[int], parts: int, chance: random.Random
) -> list[Text]:
    """A text of each count of tokens; ``InputError`` where the words can't make it."""
    # Each part begins with a word that takes one token there, too; the others come between words.
    firsts = [chance.choices(words.single, k=parts) for _ in wanted]
    later: list[list[str]] = [[] for _ in wanted]
    least = shortest(encoder, words, parts)
    missing = [count - least for count in wanted]
    for _ in range(MENDS):
        for text, count in zip(later, missing, strict=True):
            words.mend(text, count, chance)
        made = [_parted(first, text) for first, text in zip(firsts, later, strict=True)]
        found = count_tokens(encoder, made)
        missing = [count - there for count, there in zip(wanted, found, strict=True)]
        if not any(missing):
            return made
    count = next(count for count, left in zip(wanted, missing, strict=True) if left)
    raise InputError(
        f"--lengths: no text of exactly {count} tokens was found; give --texts with other words"
    )


def shortest(encoder: TextEncoder, words: Words, parts: int) -> int:
    """Tokens of a text of so many parts that are a word each."""
    return count_tokens(encoder, [(words.single[0],) * parts])[0]


def count_tokens(encoder: TextEncoder, texts: Sequence[Text]) -> list[int]:
    """What the server will count of each text; of one that it would truncate, one more than it takes."""
    encoded = encoder.encode([text[0] if len(text) == 1 else (text[0], text[1]) for text in texts])
    return [encoder.max_tokens + 1 if one.truncated else len(one.ids) for one in encoded]


def _words(encoder: TextEncoder, given: Sequence[Text]) -> Words:
    if given:
        return Words.of(
            encoder, [word for text in given for part in text for word in part.split()], "--texts"
        )
    pieces = (piece.strip() for piece in encoder.pieces())
    words = Words.of(encoder, [piece for piece in pieces if piece.isalpha()], "the vocabulary")
    # What is no word by itself is the end of others.
    return replace(words, pool=words.single)


def _parted(firsts: Sequence[str], later: Sequence[str]) -> Text:
    """A text for each first word, with an even share of the others behind it."""
    share = -(-len(later) // len(firsts))
    return tuple(
        " ".join([first, *later[number * share : (number + 1) * share]])
        for number, first in enumerate(firsts)
    )
