"""Text to token ids with the bundle's own tokenizer.json."""

import contextlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from strop.errors import InputError
from strop.tasks import Span
from strop.tasks.windows import Window, windows

from .bounds import TEXT_FILE_BYTES, require_size

UNKNOWN = "\U000f0000"
"""A text that no vocabulary knows: a character that means nothing."""
MOST_TOKEN_IDS = 2**24
"""The largest vocabularies have some hundred thousand; what each id stands for is held in memory."""

Text = str | tuple[str, str]
"""A text, or a pair of them."""


@dataclass(frozen=True)
class Encoded:
    """One text as the model sees it, or one window of it."""

    ids: NDArray[np.int64]
    """Token ids with the special tokens, shape [tokens], never longer than the model's limit; for a
    model that asks which text of a pair a token is of [tokens, 2], with the token types beside them."""
    truncated: bool
    """Whether the text was longer than the limit and lost its end; told of a text's first window."""
    offsets: Sequence[Span] = ()
    """The characters that each token stands for, none for a special one; empty unless asked for. In a
    window, those of the pair's second text."""
    window: int = 0
    """Its place among the windows of its text."""


def count_windows(encoded: Sequence[Encoded]) -> list[int]:
    """How many windows each text is, in the order of the texts: one, unless it was read in several."""
    counts: list[int] = []
    for one in encoded:
        if one.window:
            counts[-1] += 1
        else:
            counts.append(1)
    return counts


@contextlib.contextmanager
def _without_panic() -> Iterator[None]:
    """Make an ordinary exception of a panic in Rust, which is none: it would end the thread it is in."""
    try:
        yield
    except (Exception, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as panic:
        raise RuntimeError(f"the tokenizer panicked: {panic}") from panic


class TextEncoder:
    """Encodes texts, truncating at ``max_tokens`` (special tokens included) and never padding."""

    def __init__(
        self,
        tokenizer_file: Path,
        max_tokens: int,
        *,
        offsets: bool = False,
        token_types: bool = False,
        windowed: bool = False,
    ) -> None:
        """``offsets`` and ``token_types`` ask for what ``Encoded`` may have beside the ids; ``windowed``
        for pairs read window by window where the second text is too long.
        """
        require_size(tokenizer_file, TEXT_FILE_BYTES)
        try:
            with _without_panic():
                self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        except Exception as error:  # tokenizers raises bare Exception
            raise InputError(
                f"{tokenizer_file} is not a tokenizer.json: {error}; export the run again"
            ) from error
        # A saved tokenizer keeps the padding and truncation it was last used with.
        self._tokenizer.no_padding()
        if windowed:
            self._tokenizer.no_truncation()
        else:
            self._tokenizer.enable_truncation(max_tokens)
        self._windowed = windowed
        self._offsets = offsets
        self._token_types = token_types
        self.max_tokens = max_tokens
        try:
            with _without_panic():
                nothing, _ = self._tokenizer.encode_batch(["", UNKNOWN])
        except Exception as error:
            raise InputError(
                f"{tokenizer_file} can't tokenise every text: {error}; export the run again"
            ) from error
        if not nothing.ids:
            raise InputError(
                f"{tokenizer_file} makes no token of an empty text, and a graph computes none;"
                " export the run again"
            )
        # Not get_vocab_size: where ids have gaps, the largest one is past their number.
        self.vocabulary_size = max(self._tokenizer.get_vocab().values(), default=-1) + 1
        """Every token id is below it."""
        if self.vocabulary_size > MOST_TOKEN_IDS:
            raise InputError(
                f"{tokenizer_file} has token id {self.vocabulary_size - 1} and the largest may be"
                f" {MOST_TOKEN_IDS - 1}; export the run again"
            )

    @cached_property
    def unknown_id(self) -> int | None:
        """The token that stands for what the vocabulary lacks; None where it can spell all."""
        model = json.loads(self._tokenizer.to_str())["model"]
        if (number := model.get("unk_id")) is not None:
            return int(number)
        name = model.get("unk_token")
        return None if name is None else self._tokenizer.token_to_id(name)

    def pieces(self) -> list[str]:
        """What each token of the vocabulary stands for by itself; nothing for a special one."""
        ids = sorted(self._tokenizer.get_vocab().values())
        pieces: list[str] = self._tokenizer.decode_batch([[one] for one in ids])
        return pieces

    def encode(self, texts: Sequence[Text]) -> list[Encoded]:
        """Encode texts or pairs in parallel Rust threads (the GIL is released); one ``Encoded`` each, or
        of a long pair its windows, one behind the other.

        Without windows, the longer text of a pair that is too long loses its end, token by token.
        """
        with _without_panic():
            encodings = self._tokenizer.encode_batch(list(texts))
        if self._windowed:
            return [
                Encoded(self._tokens(one), one.cut and not place, one.offsets, place)
                for encoding in encodings
                for place, one in enumerate(windows(encoding, self.max_tokens))
            ]
        return [
            Encoded(
                self._tokens(encoding),
                bool(encoding.overflowing),
                encoding.offsets if self._offsets else (),
            )
            for encoding in encodings
        ]

    def words(self) -> tuple[str, ...]:
        """What each token id stands for, as a reply calls it."""
        alone = [[token] for token in range(self.vocabulary_size)]
        return tuple(
            word.strip() for word in self._tokenizer.decode_batch(alone, skip_special_tokens=False)
        )

    def name_of(self, token: int) -> str:
        """What the tokenizer calls a token."""
        return str(self._tokenizer.id_to_token(token))

    def _tokens(self, encoding: Encoding | Window) -> NDArray[np.int64]:
        if self._token_types:
            return np.array([encoding.ids, encoding.type_ids], dtype=np.int64).T
        return np.asarray(encoding.ids, dtype=np.int64)
