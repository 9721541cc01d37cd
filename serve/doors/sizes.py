"""How much one call may ask about."""

import sys
from dataclasses import dataclass

from ..core import Query
from ..errors import InvalidArgumentError


@dataclass(frozen=True)
class Sizes:
    """Bounds of a call; what is larger is refused before anything is made of it."""

    texts: int = sys.maxsize
    characters: int = sys.maxsize
    """Of one text, or tokens of one row of token ids."""

    def check_texts(self, count: int) -> None:
        """``InvalidArgumentError`` for too many."""
        if count > self.texts:
            raise InvalidArgumentError(f"{count} texts in one call are too many; send at most {self.texts}")

    def check_row(self, tokens: int) -> None:
        """``InvalidArgumentError`` for a row of too many tokens."""
        if tokens > self.characters:
            raise InvalidArgumentError(
                f"rows of {tokens} tokens are too long; send at most {self.characters}"
            )

    def check(self, query: Query) -> None:
        """``InvalidArgumentError`` for too many texts, or one that is too long."""
        self.check_texts(len(query))
        for number, text in enumerate(query.texts):
            characters = len(text) if isinstance(text, str) else max(map(len, text))
            if characters > self.characters:
                raise InvalidArgumentError(
                    f"text {number} has {characters} characters; send at most {self.characters}"
                )
