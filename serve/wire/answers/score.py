"""Score: a number."""

from collections.abc import Sequence

from strop.export.bundle import Text
from strop.proto import strop_pb2 as pb

from ...core import Answer
from ...inference.model import Model
from .call import Call, facts, texts_or_pairs


class Score(Call):
    """A number for each text or pair."""

    name = "Score"
    response = pb.ScoreResponse

    def texts(self, model: Model, request: pb.ScoreRequest) -> Sequence[Text]:
        """Texts or pairs."""
        return texts_or_pairs(model, request)

    def results(self, model: Model, request: pb.ScoreRequest, answer: Answer) -> list[pb.TextScore]:
        """The one output of each."""
        return [
            pb.TextScore(score=score, **facts(encoded))
            for (score,), encoded in zip(answer.outputs, answer.encoded, strict=True)
        ]
