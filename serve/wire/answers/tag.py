"""Tag: named stretches of a text."""

from collections.abc import Sequence

from strop.export.bundle import Encoded, Text
from strop.proto import strop_pb2 as pb
from strop.tasks import Floats
from strop.tasks.token_classification import TokenClassification

from ...core import Answer
from ...inference.model import Model
from .call import Call, facts


class Tag(Call):
    """The entities of each text, with where they stand."""

    name = "Tag"
    response = pb.TagResponse

    def texts(self, model: Model, request: pb.TagRequest) -> Sequence[Text]:
        """Texts."""
        return list(request.texts)

    def results(self, model: Model, request: pb.TagRequest, answer: Answer) -> list[pb.Tagging]:
        """In the order of the text."""
        found = zip(request.texts, answer.outputs, answer.encoded, strict=True)
        return [
            pb.Tagging(entities=_entities(model, text, output, encoded), **facts(encoded))
            for text, output, encoded in found
        ]


def _entities(model: Model, text: str, output: Floats, encoded: Encoded) -> list[pb.Entity]:
    assert isinstance(model.task, TokenClassification)  # noqa: S101
    found = model.task.entities(output, encoded.offsets, model.labels)
    return [pb.Entity(text=text[one.start : one.stop], **one._asdict()) for one in found]
