"""Embed: a vector."""

from collections.abc import Sequence

import numpy as np

from strop.export.bundle import Text
from strop.proto import strop_pb2 as pb
from strop.tasks.embedding import unit

from ...core import Answer
from ...inference.model import Model
from .call import Call, facts


class Embed(Call):
    """A vector for each text."""

    name = "Embed"
    response = pb.EmbedResponse

    def texts(self, model: Model, request: pb.EmbedRequest) -> Sequence[Text]:
        """Texts."""
        return list(request.texts)

    def results(self, model: Model, request: pb.EmbedRequest, answer: Answer) -> list[pb.Embedding]:
        """As the model has them, or of length 1."""
        vectors = np.stack(list(answer.outputs))
        if request.normalise:
            vectors = unit(vectors)
        return [
            pb.Embedding(vector=vector, **facts(encoded))
            for vector, encoded in zip(vectors.tolist(), answer.encoded, strict=True)
        ]
