"""Answer: where in a context the answer to a question stands."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from strop.tasks.spans import Found, Reply

from ..columns import Text
from .call import Call

MOST = 2**31 - 1
"""Of answers, where all of them are asked for."""


class Answer(Call):
    """A result is what a model says to a question: its answers, the best first, or that there is none."""

    name = "Answer"
    fields = ("questions", "contexts")
    ranked = True
    columns = ("answer", "characters", "score")

    def wishes(self, top_k: int | None) -> Mapping[str, Any]:
        """The best one unless more are asked for."""
        return {"top_k": MOST if top_k == 0 else top_k or 1}

    def read(self, result: Any) -> Reply:
        """See ``Call``."""
        answers = (Found(one.start, one.stop, one.score) for one in result.answers)
        return Reply(tuple(answers), result.null_score)

    def outputs(self, top_k: int | None) -> Mapping[str, int]:
        """The best one: the Open Inference Protocol tells no other."""
        return {"answer": 0}

    def results(self, tensors: Mapping[str, NDArray[Any]]) -> Sequence[Reply]:
        """See ``Call``."""
        return [_reply(json.loads(row)) for row in tensors["answer"].tolist()]

    def rows(self, text: Text, result: Reply, top_k: int | None) -> Sequence[tuple[str, ...]]:
        """Each answer with where it stands in the context."""
        return [
            (text[1][one.start : one.stop], f"{one.start}–{one.stop}", f"{one.score:.4f}")
            for one in result.answers
        ] or [("none", "", f"{result.null_score:.4f}")]


def _reply(fields: Mapping[str, Any]) -> Reply:
    if fields["start"] is None:
        return Reply((), fields["null_score"])
    return Reply((Found(fields["start"], fields["stop"], fields["score"]),), fields["null_score"])
