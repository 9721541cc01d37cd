"""Text to token ids with the bundle's own tokenizer.json."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from strop.errors import InputError
from strop.tasks import Span

Text = str | tuple[str, str]
"""A text, or a pair of them."""


@dataclass(frozen=True)
class Encoded:
    """One text as the model sees it."""

    ids: NDArray[np.int64]
    """Token ids with the special tokens, shape [tokens], never longer than the model's limit; for a
    model that asks which text of a pair a token is of [tokens, 2], with the token types beside them."""
    truncated: bool
    """Whether the text was longer than the limit and lost its end."""
    offsets: Sequence[Span] = ()
    """The characters that each token stands for, none for a special one; empty unless asked for."""


class TextEncoder:
    """Encodes texts, truncating at ``max_tokens`` (special tokens included) and never padding."""

    def __init__(
        self, tokenizer_file: Path, max_tokens: int, *, offsets: bool = False, token_types: bool = False
    ) -> None:
        """``offsets`` and ``token_types`` ask for what ``Encoded`` may have beside the ids."""
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        except Exception as error:  # tokenizers raises bare Exception
            raise InputError(f"{tokenizer_file} is not a tokenizer.json: {error}") from error
        # A saved tokenizer keeps the padding and truncation it was last used with.
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self._offsets = offsets
        self._token_types = token_types
        self.max_tokens = max_tokens
        # Not get_vocab_size: where ids have gaps, the largest one is past their number.
        self.vocabulary_size = max(self._tokenizer.get_vocab().values(), default=-1) + 1
        """Every token id is below it."""

    def encode(self, texts: Sequence[Text]) -> list[Encoded]:
        """Encode texts or pairs in parallel Rust threads (the GIL is released); one ``Encoded`` each.

        Of a pair that is too long the longer text loses its end, token by token.
        """
        return [
            Encoded(
                self._tokens(encoding),
                bool(encoding.overflowing),
                encoding.offsets if self._offsets else (),
            )
            for encoding in self._tokenizer.encode_batch(list(texts))
        ]

    def _tokens(self, encoding: Encoding) -> NDArray[np.int64]:
        if self._token_types:
            return np.array([encoding.ids, encoding.type_ids], dtype=np.int64).T
        return np.asarray(encoding.ids, dtype=np.int64)
