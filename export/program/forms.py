"""The programs that ``strop export --recipes`` knows, by name."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from ..providers import TORCH


@dataclass(frozen=True)
class ProgramForm:
    """One numeric form of a program; unlike a ``Precision`` it is written from the model itself."""

    name: str
    summary: str
    """One line for whoever has to choose."""
    dtype: Literal["float32", "float16", "bfloat16"]
    """Of weights and activations, as torch calls it; norms and softmax sum in fp32 all the same."""
    provider: str = TORCH


PROGRAMS: Mapping[str, ProgramForm] = {
    form.name: form
    for form in (
        ProgramForm(
            "torch",
            "fp32 as a program of torch's own, for the torch engine; only its reference on a CPU",
            "float32",
        ),
        ProgramForm(
            "torch-fp16",
            "the same in half precision: for GPUs, by flash attention",
            "float16",
        ),
        ProgramForm(
            "torch-bf16",
            "the same in bfloat16, which can't overflow: for GPUs from Ampere on",
            "bfloat16",
        ),
    )
}
