"""What a typed call is."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from google.protobuf.message import Message

from strop.export.bundle import Encoded, Text
from strop.proto import strop_pb2 as pb

from ...core import Answer
from ...errors import InvalidArgumentError
from ...inference.model import Model
from ..infer_request import pair_up

AnyRequest = (
    pb.ClassifyRequest
    | pb.ScoreRequest
    | pb.TagRequest
    | pb.EmbedRequest
    | pb.AnswerRequest
    | pb.FillRequest
)


class Call(ABC):
    """One method of ``strop.v1.Strop``, for the tasks that name it."""

    name: ClassVar[str]
    response: ClassVar[type[Message]]
    """Has, beside the results, what every reply has."""

    @abstractmethod
    def texts(self, model: Model, request: Any) -> Sequence[Text]:
        """What the request asks about; ``InvalidArgumentError`` says what is wrong with it."""

    @abstractmethod
    def results(self, model: Model, request: Any, answer: Answer) -> Sequence[Message]:
        """The answer, a message for each text."""


def texts_or_pairs(model: Model, request: pb.ClassifyRequest | pb.ScoreRequest) -> Sequence[Text]:
    """Texts, or pairs of them for a model that judges two together."""
    texts = list(request.texts)
    if model.pairs:
        return pair_up(texts, request.pairs)
    if request.pairs:
        raise InvalidArgumentError(
            f"pairs has {len(request.pairs)} texts, but {model.name!r} judges one text; send none"
        )
    return texts


def facts(encoded: Encoded) -> dict[str, Any]:
    """The fields that every result has beside its answer."""
    return {"tokens": len(encoded.ids), "truncated": encoded.truncated}
