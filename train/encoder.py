"""The encoder to start from: a Hugging Face folder or hub id, checked before anything is trained."""

import logging
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import transformers
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
)
from transformers.utils.logging import disable_progress_bar

from strop.errors import InputError
from strop.tasks import Task

from .heads import HEADS

# Their packed export was compared with one text at a time; it needs an encoder that takes a 4-D
# additive attention mask and position ids.
PACKABLE = ("bert", "distilbert", "electra", "mpnet", "roberta", "xlm-roberta")
# Those that number positions from the padding id + 1 and lose as many places.
OFFSET_POSITIONS = ("mpnet", "roberta", "xlm-roberta")
UNREADABLE = (OSError, ValueError, SafetensorError)


def first_position(config: PretrainedConfig) -> int:
    """The position id of a text's first token: 0, or past the padding id in RoBERTa's family."""
    return int(config.pad_token_id) + 1 if config.model_type in OFFSET_POSITIONS else 0


def tells_pairs_apart(config: PretrainedConfig) -> bool:
    """Whether it embeds which text of a pair a token is of, beside the separator between them."""
    return int(getattr(config, "type_vocab_size", 1)) > 1


def quieten() -> None:
    """Keep the libraries' notices and bars out of Strop's output; their errors still show."""
    for library in ("transformers", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.ERROR)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    # peft reads an attribute that transformers has renamed.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


@dataclass(frozen=True)
class Encoder:
    """A model that Strop can fine-tune, export and serve."""

    name: str
    """A hub id, or a folder's absolute path."""
    config: PretrainedConfig

    @classmethod
    def open(cls, name: str) -> Self:
        """Read the configuration of a folder or hub id.

        Raises ``InputError`` when it can't be had or is of a family that can't be exported.
        """
        quieten()
        folder = Path(name).expanduser()
        if folder.is_dir():
            name = str(folder.resolve())
        elif folder.is_absolute() or name.startswith((".", "~")) or name.count("/") > 1:
            raise InputError(f"model {name} is not a folder; give a model folder or a hub id")
        try:
            config = AutoConfig.from_pretrained(name)
        except UNREADABLE as error:
            raise _unreadable(name, error) from error
        if config.model_type not in PACKABLE:
            raise InputError(
                f"model {name} is of type {config.model_type!r}, which is refused: packed export"
                " needs an encoder that takes a 4-D attention mask and position ids; use one of"
                f" {', '.join(PACKABLE)}"
            )
        return cls(name, config)

    @property
    def longest(self) -> int:
        """Tokens that it has positions for."""
        return int(self.config.max_position_embeddings) - first_position(self.config)

    def require_tokens(self, tokens: int, extra: int = 0) -> None:
        """Raise ``InputError`` when texts of ``tokens`` tokens behind ``extra`` ones are too long."""
        if tokens + extra > self.longest:
            beside = f" beside {extra} --virtual-tokens" if extra else ""
            raise InputError(
                f"--max-tokens is {tokens}, but {self.name} takes at most {self.longest - extra}{beside};"
                f" give --max-tokens {self.longest - extra} or less"
            )

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Its tokenizer; ``InputError`` when there is no fast one, which serving needs."""
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.name)
        except UNREADABLE as error:
            raise _unreadable(self.name, error) from error
        if not tokenizer.is_fast:
            raise InputError(f"model {self.name} has no tokenizer.json; save its fast tokenizer")
        return cast(PreTrainedTokenizerFast, tokenizer)

    def model(
        self, task: Task, labels: Sequence[str], *, attention: str | None = None
    ) -> tuple[PreTrainedModel, tuple[str, ...]]:
        """Itself with a task's head, and the names of the modules that nobody has trained.

        Those come out different each time, so whoever trains must keep them whole. Raises
        ``InputError`` when the weights can't be read or lack a part of the encoder.
        """
        options: dict[str, Any] = {} if attention is None else {"attn_implementation": attention}
        head = HEADS[task.head]
        try:
            model, loading = getattr(transformers, head.model_class).from_pretrained(
                self.name,
                num_labels=len(labels),
                label2id={label: number for number, label in enumerate(labels)},
                id2label=dict(enumerate(labels)),
                problem_type=head.problem_type,
                ignore_mismatched_sizes=True,  # another number of labels before: a new head
                output_loading_info=True,
                **head.model_options(self.config),
                **options,
            )
        except UNREADABLE as error:
            raise _unreadable(self.name, error) from error
        renewed = {*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])}
        heads = {key.removeprefix(f"{model.base_model_prefix}.").split(".")[0] for key in renewed}
        if lacking := heads.difference(head.modules):
            raise InputError(
                f"model {self.name} lacks the weights of its {', '.join(sorted(lacking))};"
                " give a whole pretrained encoder"
            )
        return model, tuple(sorted(heads))


def _unreadable(name: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split())
    return InputError(
        f"model {name} can't be loaded ({reason:.160}…); give a model folder, or a hub id that"
        " this machine can reach"
    )
