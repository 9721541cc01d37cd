"""``strop data cloze``: the questions that an exported masked language model is judged by, as a file."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import cast

from cyclopts import Parameter

from strop.errors import InputError

from ..console import console
from .written import write_rows


@Parameter(name="*")
@dataclass(frozen=True)
class ClozeConfig:
    """Whose questions, and where they go."""

    run: Path
    """The run directory that strop train --task fill-mask wrote."""
    _: KW_ONLY
    out: Path
    """A JSONL file with the columns text and word, as strop bench --texts takes it. It must not exist."""

    def __post_init__(self) -> None:
        """Raise ``InputError`` when something would be overwritten."""
        if self.out.exists():
            raise InputError(f"--out {self.out} exists; give another name, or remove it")


def cloze(config: ClozeConfig) -> None:
    """Write the test texts of a run, each with the token hidden that strop export hides there.

    The bundle's accuracy is the share of them that it tells, so strop bench can hold a server to it.
    """
    # Not at the top: the options' help must not wait for transformers.
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    from ..cloze import hide
    from ..run import Run

    run = Run.open(config.run)
    if run.task.answer_column is None:
        raise InputError(
            f"{run.root} was trained for {run.task.name}, not to fill masks; strop bench takes its test"
            " split as it is"
        )
    tokenizer = cast(PreTrainedTokenizerFast, AutoTokenizer.from_pretrained(run.tokenizer_file.parent))
    texts = [example.text for example in run.splits().test]
    hidden = hide(texts, tokenizer, run.max_tokens)
    column = run.task.answer_column
    write_rows(config.out, ((one.text, {"text": one.text, column: one.word}) for one in hidden))
    left = len(texts) - len(hidden)
    beside = f"; {left} more have no token that can be hidden" if left else ""
    console().print(f"{config.out}: {len(hidden)} texts, each with a token hidden{beside}")
