"""Fill: words for a mask."""

from collections.abc import Sequence

from strop.export.bundle import Text
from strop.proto import strop_pb2 as pb
from strop.tasks.masked_lm import SHORT_LIST, TOLD, MaskedLM, filled

from ...core import Answer
from ...errors import InvalidArgumentError
from ...inference.model import Model
from .call import Call, facts


class Fill(Call):
    """The likeliest words for the mask of each text."""

    name = "Fill"
    response = pb.FillResponse

    def texts(self, model: Model, request: pb.FillRequest) -> Sequence[Text]:
        """Texts; that each has one mask is seen when they are tokens."""
        if request.top_k > TOLD:
            raise InvalidArgumentError(f"top_k is {request.top_k}; ask for at most {TOLD} words")
        return list(request.texts)

    def results(self, model: Model, request: pb.FillRequest, answer: Answer) -> list[pb.Filled]:
        """``top_k`` words each, the best first, and the text with the best one."""
        assert isinstance(model.task, MaskedLM)  # noqa: S101
        assert model.mask is not None  # noqa: S101
        top_k, results = request.top_k or SHORT_LIST, []
        for text, output, encoded in zip(request.texts, answer.outputs, answer.encoded, strict=True):
            words = model.task.words_of(output, model.labels, top_k)
            results.append(
                pb.Filled(
                    words=[pb.ScoredLabel(label=word, score=score) for word, score in words],
                    text=filled(text, model.mask.name, words[0][0]),
                    **facts(encoded),
                )
            )
        return results
