"""Answer: where in a context the answer to a question stands."""

from collections.abc import Sequence

from strop.export.bundle import Encoded, Text
from strop.proto import strop_pb2 as pb
from strop.tasks import Floats
from strop.tasks.question_answering import QuestionAnswering

from ...core import Answer
from ...errors import InvalidArgumentError
from ...inference.model import Model
from .call import Call


class AnswerQuestion(Call):
    """The likeliest answers to each question, from all windows of its context."""

    name = "Answer"
    response = pb.AnswerResponse

    def texts(self, model: Model, request: pb.AnswerRequest) -> Sequence[Text]:
        """Each question with its context."""
        questions, contexts = request.questions, request.contexts
        if len(questions) != len(contexts):
            raise InvalidArgumentError(
                f"there are {len(questions)} questions and {len(contexts)} contexts; send one for each"
            )
        return list(zip(questions, contexts, strict=True))

    def results(self, model: Model, request: pb.AnswerRequest, answer: Answer) -> list[pb.Answered]:
        """``top_k`` answers each, the best first."""
        found = zip(
            request.contexts, answer.by_text(answer.outputs), answer.by_text(answer.encoded), strict=True
        )
        top_k = request.top_k or 1
        return [_answered(model, context, outputs, windows, top_k) for context, outputs, windows in found]


def _answered(
    model: Model, context: str, outputs: Sequence[Floats], windows: Sequence[Encoded], top_k: int
) -> pb.Answered:
    assert isinstance(model.task, QuestionAnswering)  # noqa: S101
    reply = model.task.reply(outputs, [one.offsets for one in windows], model.labels, top_k)
    return pb.Answered(
        answers=[
            pb.FoundAnswer(text=context[one.start : one.stop], **one._asdict()) for one in reply.answers
        ],
        null_score=reply.null_score,
        tokens=sum(len(one.ids) for one in windows),
        windows=len(windows),
        truncated=windows[0].truncated,
    )
