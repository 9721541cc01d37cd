"""Fill: words for a mask."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from strop.tasks.masked_lm import TOLD

from ..columns import Text
from .call import Call

ScoredWords = tuple[tuple[str, float], ...]


class Fill(Call):
    """A result is (word, score) pairs, the best first."""

    name = "Fill"
    fields = ("texts",)
    ranked = True
    columns = ("word", "score")

    def wishes(self, top_k: int | None) -> Mapping[str, Any]:
        """The best one unless more are asked for; all are as many as a server keeps."""
        return {"top_k": TOLD if top_k == 0 else top_k or 1}

    def read(self, result: Any) -> ScoredWords:
        """See ``Call``."""
        if not result.words:
            raise ValueError("a text has no word")
        return tuple((scored.label, scored.score) for scored in result.words)

    def outputs(self, top_k: int | None) -> Mapping[str, int]:
        """The best one, or the short list, which is all that the Open Inference Protocol tells."""
        return {"words": 0} if top_k not in (None, 1) else {"word": 0, "score": 0}

    def results(self, tensors: Mapping[str, NDArray[Any]]) -> Sequence[ScoredWords]:
        """See ``Call``."""
        if "words" in tensors:
            return [
                tuple((one["word"], one["score"]) for one in json.loads(row))
                for row in tensors["words"].tolist()
            ]
        pairs = zip(tensors["word"].tolist(), tensors["score"].tolist(), strict=True)
        return [((word, score),) for word, score in pairs]

    def rows(self, text: Text, result: ScoredWords, top_k: int | None) -> Sequence[tuple[str, ...]]:
        """The words asked for."""
        return [(word, f"{score:.4f}") for word, score in result[: top_k or None]]
