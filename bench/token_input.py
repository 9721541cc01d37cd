"""What a model of the Open Inference Protocol takes in place of texts: token ids that the client makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from strop.errors import InputError
from strop.proto import open_inference_pb2 as pb
from strop.tasks import Task

IDS, MASK, TYPES = "input_ids", "attention_mask", "token_type_ids"
"""What transformers' models call their inputs, and so whoever serves them."""
NUMBERS: Mapping[str, Any] = {"INT64": "<i8", "INT32": "<i4"}
"""Data types of ids, as they lie in a request."""
OWN = {IDS: "INT64", MASK: "INT64"}
"""What Strop's server takes instead of the text that its metadata tell of."""
OWN_MARK = "token_input"
"""The parameter by which it says so."""


@dataclass(frozen=True)
class TokenInput:
    """What a model takes and tells."""

    inputs: Mapping[str, str]
    """Data types by the names of the tensors."""
    logits: str
    """The tensor with a number for each label; empty where the model tells labels."""

    @classmethod
    def of(cls, metadata: pb.ModelMetadataResponse, config: pb.ModelConfig, task: Task) -> Self:
        """As a server describes its model; ``InputError`` if it takes or gives something else."""
        if task.windowed:
            raise InputError(
                f"--tokenizer: {task.name} reads long texts window by window, which is the server's work;"
                " leave it out"
            )
        if OWN_MARK in config.parameters:
            return cls(OWN, "")
        inputs = {one.name: one.datatype for one in metadata.inputs}
        wrong = [name for name, datatype in inputs.items() if name not in (IDS, MASK, TYPES)]
        wrong += [name for name, datatype in inputs.items() if datatype not in NUMBERS]
        if wrong or IDS not in inputs:
            found = ", ".join(f"{name} {datatype}" for name, datatype in inputs.items()) or "nothing"
            raise InputError(
                f"{metadata.name!r} takes {found}; --tokenizer is for models that take {IDS}, and may take"
                f" {MASK} and {TYPES}, of {' or '.join(NUMBERS)}"
            )
        outputs = {one.name: one for one in metadata.outputs}
        if "label" in outputs:
            return cls(inputs, "")
        logits = [name for name, one in outputs.items() if one.datatype == "FP32" and len(one.shape) == 2]
        if len(logits) != 1 or task.call != "Classify":
            there = ", ".join(f"{name} {one.datatype}" for name, one in outputs.items()) or "nothing"
            raise InputError(
                f"{metadata.name!r} gives {there}; of {task.name} that can't be read: one"
                " FP32 tensor [n, labels] of a classification can"
            )
        return cls(inputs, logits[0])
