"""Texts to token ids before they are sent, and logits to labels: for servers that do neither."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from strop.errors import InputError
from strop.export.bundle import Bundle, TextEncoder
from strop.proto import open_inference_pb2 as pb
from strop.tasks import Result

from .columns import Text
from .protocols import OpenInferenceWire
from .served import Served
from .token_input import IDS, MASK, NUMBERS, TYPES


@dataclass(frozen=True)
class Tokenizer:
    """What makes token ids of texts, and labels of logits."""

    encoder: TextEncoder
    labels: Sequence[str]

    @classmethod
    def open(cls, folder: Path) -> Self:
        """That of a bundle, or of a Hugging Face model folder; ``InputError`` if it is neither."""
        if (folder / "manifest.json").is_file():
            bundle = Bundle.open(folder)
            return cls(bundle.text_encoder(), bundle.manifest.labels)
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            labels = config.get("id2label", {})
            names = [str(labels[number]) for number in sorted(labels, key=int)]
            tokens = int(config["max_position_embeddings"])
            # RoBERTa's family counts places from behind the padding id.
            tokens -= int(config["pad_token_id"]) + 1 if "roberta" in str(config["model_type"]) else 0
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputError(
                f"--tokenizer {folder} can't be read ({error!r}); give a bundle, or a model folder with"
                " tokenizer.json and config.json"
            ) from error
        return cls(TextEncoder(folder / "tokenizer.json", tokens, token_types=True), names)

    def arrays(self, texts: Sequence[Text]) -> dict[str, NDArray[np.int64]]:
        """Ids, mask and types of the texts, each int64 [n, longest], padded with 0 on the right."""
        given = [text[0] if len(text) == 1 else (text[0], text[1]) for text in texts]
        rows = [one.ids for one in self.encoder.encode(given)]
        longest = max((len(row) for row in rows), default=0)
        arrays = {name: np.zeros((len(rows), longest), dtype=np.int64) for name in (IDS, MASK, TYPES)}
        for place, row in enumerate(rows):
            ids, types = row.T if row.ndim == 2 else (row, np.zeros_like(row))
            for name, values in ((IDS, ids), (MASK, np.ones_like(ids)), (TYPES, types)):
                arrays[name][place, : len(row)] = values
        return arrays


class TokenWire(OpenInferenceWire):
    """The Open Inference Protocol with token ids in, and labels or logits out."""

    def __init__(self, served: Served, tokenizer: Tokenizer) -> None:
        super().__init__(served)
        assert served.tokens is not None  # noqa: S101
        self._tokens = served.tokens
        self._tokenizer = tokenizer
        self._task = served.task

    def add_inputs(self, request: pb.ModelInferRequest, texts: Sequence[Text]) -> None:
        """See ``OpenInferenceWire``."""
        arrays = self._tokenizer.arrays(texts)
        for name, datatype in self._tokens.inputs.items():
            request.inputs.add(name=name, datatype=datatype, shape=arrays[name].shape)
            request.raw_input_contents.append(arrays[name].astype(NUMBERS[datatype]).tobytes())

    def outputs(self, top_k: int | None) -> Mapping[str, int]:
        """See ``Call``."""
        return {self._tokens.logits: 0} if self._tokens.logits else super().outputs(top_k)

    def results(self, tensors: Mapping[str, NDArray[Any]]) -> Sequence[Result]:
        """Of logits the probabilities of all labels, the best first; ``ValueError`` if those are others."""
        if not self._tokens.logits:
            return super().results(tensors)
        rows, labels = self._task.activate(tensors[self._tokens.logits]), self._tokenizer.labels
        if rows.shape[1] != len(labels):
            raise ValueError(f"{rows.shape[1]} logits for {len(labels)} labels of the tokenizer's folder")
        scored = (zip(labels, row, strict=True) for row in rows.tolist())
        return [tuple(sorted(one, key=lambda pair: -pair[1])) for one in scored]
