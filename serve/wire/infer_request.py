"""A ModelInfer request read: what it asks of the pipeline, and how it wants to be answered."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from strop.export.bundle import Encoded, Text
from strop.proto import open_inference_pb2 as pb
from strop.tasks import Task

from ..core import IntArray, Query
from ..doors.sizes import Sizes
from ..errors import InvalidArgumentError
from .parameters import Wishes, read_count, read_wishes
from .tensors import (
    InputTensor,
    blobs_of,
    read_bytes,
    read_integers,
    refuse_shared_memory,
    require_type,
)
from .token_input import IDS, MASK, TokenRules

TEXT, PAIR = "text", "text_pair"
CLASSES_OF = "probabilities"
"""The output whose best entries Triton's classification asks for."""


@dataclass(frozen=True, slots=True)
class Output:
    """One of the task's tensors as it was asked for."""

    name: str
    classes: int = 0
    """If not 0, so many best classes as text instead of the tensor: Triton's classification."""


class RequestReader:
    """Reads requests to one model."""

    def __init__(self, rules: TokenRules | None, sizes: Sizes, *, pairs: bool) -> None:
        """Take token ids where there are ``rules`` for them, and pairs of texts instead of texts.

        Requests beyond ``sizes`` are refused before anything is made of them.
        """
        self._rules = rules
        self._sizes = sizes
        self._texts_in = [TEXT, PAIR] if pairs else [TEXT]

    def query(
        self, request: pb.ModelInferRequest, seconds: float, client: str, request_id: str = ""
    ) -> Query:
        """The query of a call that has ``seconds`` left; ``InvalidArgumentError`` says what is wrong."""
        wishes = read_wishes(request.parameters)
        blobs = blobs_of(request)
        names = [tensor.name for tensor in request.inputs]
        seconds = min(seconds, wishes.seconds)
        tensors = dict(zip(names, zip(request.inputs, blobs, strict=True), strict=False))
        if sorted(names) == self._texts_in:
            texts: Sequence[Text] = self._texts(*tensors[TEXT])
            if PAIR in tensors:
                texts = pair_up(texts, self._texts(*tensors[PAIR]))
            return Query(
                texts,
                seconds=seconds,
                priority=wishes.priority,
                client=client,
                refuse_long=wishes.refuse_long,
                request_id=request_id,
            )
        if self._rules is None or sorted(names) not in ([IDS], [MASK, IDS]):
            found = ", ".join(map(repr, names)) or "none"
            instead = f", or {IDS!r} with or without {MASK!r}" if self._rules else ""
            wanted = " and ".join(map(repr, self._texts_in))
            raise InvalidArgumentError(f"the inputs are {found}; send {wanted}{instead}")
        return Query(
            encoded=self._encoded(self._rules, tensors, wishes),
            seconds=seconds,
            priority=wishes.priority,
            client=client,
            request_id=request_id,
        )

    def _texts(self, tensor: InputTensor, blob: bytes | None) -> list[str]:
        require_type(tensor, "BYTES")
        shape = tensor.shape
        if len(shape) not in (1, 2) or shape[0] < 1 or (len(shape) == 2 and shape[1] != 1):
            raise InvalidArgumentError(
                f"input {tensor.name!r} has shape {list(shape)}; send [n] or [n, 1], n at least 1"
            )
        self._sizes.check_texts(shape[0])
        return [_decode(tensor, element, number) for number, element in enumerate(read_bytes(tensor, blob))]

    def _encoded(
        self,
        rules: TokenRules,
        tensors: Mapping[str, tuple[InputTensor, bytes | None]],
        wishes: Wishes,
    ) -> list[Encoded]:
        ids = self._integers(*tensors[IDS], "INT64", "INT32")
        mask = self._integers(*tensors[MASK], "INT64", "INT32", "BOOL") if MASK in tensors else None
        return rules.encode(ids, mask, refuse_long=wishes.refuse_long)

    def _integers(self, tensor: InputTensor, blob: bytes | None, *datatypes: str) -> IntArray:
        require_type(tensor, *datatypes)
        shape = tensor.shape
        if len(shape) != 2 or min(shape) < 1:
            raise InvalidArgumentError(
                f"input {tensor.name!r} has shape {list(shape)}; send [n, tokens], each at least 1"
            )
        self._sizes.check_texts(shape[0])
        self._sizes.check_row(shape[1])
        return read_integers(tensor, blob)


def pair_up(texts: Sequence[Text], seconds: Sequence[str]) -> list[Text]:
    """Texts with their second ones; ``InvalidArgumentError`` where one of them has none."""
    if len(texts) != len(seconds):
        raise InvalidArgumentError(
            f"there are {len(texts)} texts and {len(seconds)} second texts; pair them"
        )
    return [(str(text), second) for text, second in zip(texts, seconds, strict=True)]


def read_outputs(request: pb.ModelInferRequest, task: Task) -> Sequence[Output]:
    """The outputs asked for, in that order; all of the task's if none is named."""
    if not request.outputs:
        return [Output(name) for name in task.tensors]
    outputs: dict[str, Output] = {}
    for asked in request.outputs:
        name = asked.name
        if name not in task.tensors:
            raise InvalidArgumentError(f"no output is named {name!r}; ask for: {', '.join(task.tensors)}")
        if name in outputs:
            raise InvalidArgumentError(f"output {name!r} is asked for twice; ask once")
        refuse_shared_memory(f"output {name!r}", asked.parameters)
        classes = read_count(asked.parameters, "classification", 0)
        if classes and name != CLASSES_OF:
            raise InvalidArgumentError(f"output {name!r} has no classes; ask for those of {CLASSES_OF!r}")
        outputs[name] = Output(name, classes)
    return list(outputs.values())


def _decode(tensor: InputTensor, element: bytes, number: int) -> str:
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise InvalidArgumentError(
            f"element {number} of input {tensor.name!r} is not UTF-8 at byte {error.start}; encode it so"
        ) from error
