"""Classify: labels with scores."""

from collections.abc import Sequence

import numpy as np

from strop.export.bundle import Text
from strop.proto import strop_pb2 as pb

from ...core import Answer
from ...inference.model import Model
from ..infer_reply import best_first
from .call import Call, facts, texts_or_pairs


class Classify(Call):
    """The best labels of each text, or all of them."""

    name = "Classify"
    response = pb.ClassifyResponse

    def texts(self, model: Model, request: pb.ClassifyRequest) -> Sequence[Text]:
        """Texts or pairs."""
        return texts_or_pairs(model, request)

    def results(self, model: Model, request: pb.ClassifyRequest, answer: Answer) -> list[pb.Classification]:
        """``top_k`` labels each, the best first."""
        top_k = request.top_k or len(model.labels)
        return [
            pb.Classification(
                labels=[
                    pb.ScoredLabel(label=model.labels[i], score=scores[i])
                    for i in best_first(scores, top_k)
                ],
                **facts(encoded),
            )
            for scores, encoded in zip(np.asarray(answer.outputs).tolist(), answer.encoded, strict=True)
        ]
