"""What the training benchmark is asked to do: the only home of its options and their defaults."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from strop.errors import InputError
from strop.options import require_at_least


@Parameter(name="*")
@dataclass(frozen=True)
class TrainingConfig:
    """What is trained, and how often."""

    _: KW_ONLY
    models: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = (
        "minilm-l6",
        "mpnet-base",
    )
    """Encoders: minilm-l6 and mpnet-base with made-up weights, model folders or hub ids."""
    methods: Annotated[tuple[str, ...], Parameter(consume_multiple=True, negative="")] = ("full", "lora")
    """What is trained of each."""
    precision: Literal["auto", "bf16", "fp16", "tf32", "fp32"] = "auto"
    """As strop train has it."""
    tokens: int = 128
    """Of the longest text."""
    shortest: int = 0
    """Tokens of the shortest, all lengths from there on being as frequent: padding is then told apart. 0
    for texts that are all alike."""
    batch_size: int = 32
    """Texts in a batch. A GPU wants more, such as 128."""
    steps: int = 20
    """Of the optimiser that are timed, in each round."""
    compile: Annotated[bool, Parameter(negative="")] = False
    """Compile the layers first, as strop train --compile does."""
    threads: int = 0
    """CPU threads; 0 means one for each core that may be used."""
    rounds: int = 3
    """How often each is trained, in turn, in a process of its own. The median counts."""
    out: Path = Path("bench/results")
    """Folder for the report."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` naming the option, its value and the fix."""
        require_at_least(self, tokens=1, shortest=0, batch_size=1, steps=1, threads=0, rounds=1)
        if self.shortest > self.tokens:
            raise InputError(f"--shortest is {self.shortest}; it is at most --tokens, {self.tokens}")
