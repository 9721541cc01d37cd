"""Text to token ids with the bundle's own tokenizer.json."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from strop.errors import InputError


@dataclass(frozen=True)
class Encoded:
    """One text as the model sees it."""

    ids: NDArray[np.int64]
    """Token ids with the special tokens, shape [tokens], never longer than the model's limit."""
    truncated: bool
    """Whether the text was longer than the limit and lost its end."""


class TextEncoder:
    """Encodes texts, truncating at ``max_tokens`` (special tokens included) and never padding."""

    def __init__(self, tokenizer_file: Path, max_tokens: int) -> None:
        try:
            self._tokenizer = Tokenizer.from_file(str(tokenizer_file))
        except Exception as error:  # tokenizers raises bare Exception
            raise InputError(f"{tokenizer_file} is not a tokenizer.json: {error}") from error
        # A saved tokenizer keeps the padding and truncation it was last used with.
        self._tokenizer.no_padding()
        self._tokenizer.enable_truncation(max_tokens)
        self.max_tokens = max_tokens
        # Not get_vocab_size: where ids have gaps, the largest one is past their number.
        self.vocabulary_size = max(self._tokenizer.get_vocab().values(), default=-1) + 1
        """Every token id is below it."""

    def encode(self, texts: Sequence[str]) -> list[Encoded]:
        """Encode texts in parallel Rust threads (the GIL is released); one ``Encoded`` each."""
        return [
            Encoded(np.asarray(encoding.ids, dtype=np.int64), bool(encoding.overflowing))
            for encoding in self._tokenizer.encode_batch(list(texts))
        ]
