"""``strop merge``: a run to a folder that transformers loads, as if it had been trained whole."""

from dataclasses import KW_ONLY, dataclass
from pathlib import Path

from cyclopts import Parameter

from strop.staging import staged

from .console import console
from .run import TOKENIZER_FOLDER, Run


@Parameter(name="*")
@dataclass(frozen=True)
class MergeConfig:
    """Which run, and where its model goes."""

    run: Path
    """The run directory that strop train wrote."""
    _: KW_ONLY
    out: Path
    """Folder for the model and its tokenizer; it must not exist yet."""


def merge(config: MergeConfig) -> None:
    """Write a run's model, its adapter merged, and its tokenizer as a Hugging Face folder.

    transformers' Auto classes load it, sentence-transformers where it makes vectors, and strop train takes
    it as --model. fp32, and whole or not at all.
    """
    with staged(config.out) as stage:
        run = Run.open(config.run)
        model = run.merged_model()
        # Not at the top: the options' help must not wait for transformers.
        from transformers import AutoTokenizer

        from .disk import faults_as_os_errors
        from .pooling import write_pooling

        with faults_as_os_errors(config.out):
            model.save_pretrained(stage)
        if run.task.pooling:
            write_pooling(stage, run.task.pooling, model.config.hidden_size)
        AutoTokenizer.from_pretrained(run.root / TOKENIZER_FOLDER).save_pretrained(stage)
    out = console()
    out.print(f"model: {config.out}")
    out.print(f"loads: transformers.{type(model).__name__}.from_pretrained({str(config.out)!r})")
