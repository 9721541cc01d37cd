"""The manifest: what a bundle says of itself and of its variants, refused by name where that can't be."""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from strop.errors import InputError
from strop.tasks import TASKS, Pooling

from .files import FileEntry
from .layout import Layout
from .names import require_distinct, require_inside, require_name
from .profile import Profile
from .programs import PROGRAM_SUFFIX
from .typed import build, parse

SCHEMA = "strop.bundle/5"
READABLE = (SCHEMA, "strop.bundle/4", "strop.bundle/3")
"""One of the fourth schema has no ``pooling``, one of the third no ``profile`` either, and nothing else is
different."""
MANIFEST_FILE = "manifest.json"
SIGNATURE_FILE = "manifest.sig"
TOKENIZER_FILE = "tokenizer.json"
GOLDEN_FILE = "golden.jsonl"
MOST_TOKENS = 2**17
"""Of a text: the warm-up runs one so long, and attention takes memory by its square."""


class SignatureError(InputError):
    """A bundle isn't signed by whom it must be."""


@dataclass(frozen=True)
class Variant:
    """One compressed form of the model, and what it was measured to be worth."""

    name: str
    file: str
    """The ONNX graph or, of torch's, the program, relative to the bundle."""
    layout: Layout
    provider: str
    """The ONNX Runtime execution provider it is meant for, or torch."""
    bytes: int
    """Of the graph's file."""
    peak_bytes: int
    """Memory that loading it and computing a batch took at export."""
    metrics: Mapping[str, float]
    """On the held-out split: the task's, ``agreement`` with fp32's answers, ``batch_difference``, how
    far an output ever moved with the text's batch (500 texts), and of text classification
    ``calibration_error``, how far confidence is from the share of right answers."""
    share_of_reference: float
    """The task's first metric divided by the fp32 reference's; 1.0 is no loss."""
    share_interval: tuple[float, float]
    """95 % interval of that share."""
    tokens_per_second: float
    """Measured at export on one thread over batches in its layout, padding not counted."""
    speedup: float
    """The same over fp32's, both measured in turn."""
    milliseconds_alone: float
    """Median for a text alone, measured at export on one thread."""
    golden_tolerance: float
    """The largest absolute difference of a golden output before it counts as broken."""
    facts: Mapping[str, str] = field(default_factory=dict)
    """What its form decided by measuring model or machine: ``weight_limit``, the largest absolute
    8-bit weight; of mixed, ``sensitivities`` (nats, by family of layers) and what stayed ``fp32``; of
    torch's, the ``torch`` that wrote it; ``sparse24``, how many dense layers are 2:4 sparse. And what it
    asks: of fp8 and bf16, the least ``compute_capability``."""

    def __post_init__(self) -> None:
        """Raise ``ValueError`` naming the field that can't be so."""
        require_name("a variant's name", self.name)
        require_inside("a variant's file", self.file)
        # ONNX Runtime takes a file of another name for another format, which nobody looks through.
        if not self.file.endswith((".onnx", PROGRAM_SUFFIX)):
            raise ValueError(
                f"a variant's file is {self.file!r} and should end in .onnx or {PROGRAM_SUFFIX}"
            )
        if not 0 <= self.golden_tolerance < math.inf:
            raise ValueError(f"golden_tolerance is {self.golden_tolerance} and should be 0 or more")

    @property
    def sparsity(self) -> str:
        """Its 2:4 sparsity in a phrase; empty where it has none."""
        if "sparse24" not in self.facts:
            return ""
        return (
            f"2:4 sparse: in {self.facts['sparse24']} dense layers two of every four weights are zero,"
            " which TensorRT may skip on GPUs from Ampere on; all else computes them like any"
        )


@dataclass(frozen=True)
class Manifest:
    """What a bundle says of itself."""

    name: str
    version: str
    task: str
    labels: tuple[str, ...]
    """The names of its outputs."""
    pairs: bool
    """Whether it judges two texts together."""
    token_types: bool
    """Whether its graphs read which text of a pair each token is of."""
    max_tokens: int
    default_variant: str
    variants: tuple[Variant, ...]
    provenance: Mapping[str, Any]
    """Run, data sha256, base model, versions and hardware: where the bundle came from."""
    files: Mapping[str, FileEntry]
    """Every file but the manifest and its signature, by path relative to the bundle."""
    profile: Profile = field(default_factory=dict)
    """How the held-out texts and the fp32 reference's answers to them are spread, to tell drift by."""
    pooling: Pooling | None = None
    """What a text's vector is made of; None where answers are no vectors, and of an old bundle, whose are
    means."""

    def __post_init__(self) -> None:
        """Raise ``ValueError`` naming the field that can't be so."""
        require_name("name", self.name)
        require_name("version", self.version)
        if self.task not in TASKS:
            raise ValueError(f"its task is {self.task!r} and this Strop knows {', '.join(TASKS)}")
        try:
            TASKS[self.task].pooled_by(self.pooling)
        except ValueError as error:
            raise ValueError(f"pooling is {self.pooling!r}: {error}") from error
        if not 1 <= self.max_tokens <= MOST_TOKENS:
            raise ValueError(f"max_tokens is {self.max_tokens} and should be 1 to {MOST_TOKENS}")
        require_distinct("labels", self.labels)
        require_distinct("variants", [variant.name for variant in self.variants])
        if self.default_variant not in {variant.name for variant in self.variants}:
            raise ValueError(f"default_variant is {self.default_variant!r} and no variant is called so")
        for path in self.files:
            require_inside("file", path)

    def to_json(self) -> str:
        """The manifest file's text."""
        fields = {"schema": SCHEMA, **asdict(self)}
        for written, variant in zip(fields["variants"], self.variants, strict=True):
            written["layout"] = variant.layout.to_fields()
        return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Parse a manifest file; ``ValueError`` says what it has instead of one."""
        fields = parse(text)
        if not isinstance(fields, dict):
            raise ValueError("it is no JSON object")
        schema = fields.pop("schema", None)
        if schema not in READABLE:
            raise ValueError(f"its schema is {schema!r} and this Strop reads {' and '.join(READABLE)}")
        return build(cls, fields, readers={Layout: Layout.from_fields})
