"""The model to start from: a Hugging Face folder or hub id, checked before anything is trained."""

import logging
import sys
import warnings
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self, cast

import torch
import transformers
from safetensors import SafetensorError
from transformers import (
    AutoConfig,
    AutoTokenizer,
    PretrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    PreTrainedTokenizerFast,
)
from transformers.models.auto.modeling_auto import (
    MODEL_FOR_CAUSAL_LM_MAPPING_NAMES,
    MODEL_FOR_MASKED_LM_MAPPING_NAMES,
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


def pad_token_id(config: PretrainedConfig) -> int:
    """What a batch is filled up with; any token will do where the family has none, for it is masked."""
    return int(getattr(config, "pad_token_id", None) or 0)


def tells_pairs_apart(config: PretrainedConfig) -> bool:
    """Whether it embeds which text of a pair a token is of, beside the separator between them."""
    return int(getattr(config, "type_vocab_size", 1)) > 1


def is_within(name: str, modules: Collection[str]) -> bool:
    """Whether a parameter or module is one of some modules, by the ends of their names, or part of one."""
    return any(f".{module}." in f".{name}." for module in modules)


def quieten() -> None:
    """Keep the libraries' notices and bars out of Strop's output; their errors still show."""
    for library in ("transformers", "huggingface_hub"):
        logging.getLogger(library).setLevel(logging.ERROR)
    disable_progress_bar()  # type: ignore[no-untyped-call]
    # peft reads an attribute that transformers has renamed.
    warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated", FutureWarning)


@dataclass(frozen=True)
class Encoder:
    """A model that Strop can fine-tune, export and serve; of a task that isn't served, also a decoder."""

    name: str
    """A hub id, or a folder's absolute path."""
    config: PretrainedConfig

    @classmethod
    def open(cls, name: str, task: Task | None = None) -> Self:
        """Read the configuration of a folder or hub id.

        Raises ``InputError`` when it can't be had, or is of a family that ``task`` can't be learnt with or,
        without one, that can't be exported.
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
        if task is not None and HEADS[task.head].decoder:
            _require_decoder(name, config)
        elif config.model_type not in PACKABLE:
            raise InputError(
                f"model {name} is of type {config.model_type!r}, which is refused: packed export"
                " needs an encoder that takes a 4-D attention mask and position ids; use one of"
                f" {', '.join(PACKABLE)}"
            )
        return cls(name, config)

    @property
    def longest(self) -> int:
        """Tokens that it has positions for; no bound where it needs none."""
        positions = getattr(self.config, "max_position_embeddings", None)
        return sys.maxsize if positions is None else int(positions) - first_position(self.config)

    @property
    def pad_token_id(self) -> int:
        """See ``pad_token_id``."""
        return pad_token_id(self.config)

    def require_tokens(self, tokens: int, extra: int = 0) -> None:
        """Raise ``InputError`` when texts of ``tokens`` tokens behind ``extra`` ones are too long."""
        if tokens + extra > self.longest:
            beside = f" beside {extra} --virtual-tokens" if extra else ""
            raise InputError(
                f"--max-tokens is {tokens}, but {self.name} takes at most {self.longest - extra}{beside};"
                f" give --max-tokens {self.longest - extra} or less"
            )

    def tokenizer(self) -> PreTrainedTokenizerFast:
        """Its tokenizer; ``InputError`` when there is no fast one, which serving needs, or none for it."""
        try:
            tokenizer = AutoTokenizer.from_pretrained(self.name)
        except UNREADABLE as error:
            raise _unreadable(self.name, error) from error
        if not tokenizer.is_fast:
            raise InputError(f"model {self.name} has no tokenizer.json; save its fast tokenizer")
        self._refuse_tokens_without_embedding(tokenizer)
        return cast(PreTrainedTokenizerFast, tokenizer)

    def _refuse_tokens_without_embedding(self, tokenizer: PreTrainedTokenizerBase) -> None:
        """Of the tokens that are put into texts: a batch is padded with the model's own, and a tokenizer
        that spells all bytes never says ``unk_token``.
        """
        for role, token in tokenizer.special_tokens_map.items():
            number = tokenizer.convert_tokens_to_ids(token)
            if role not in ("pad_token", "unk_token") and number >= self.config.vocab_size:
                raise InputError(
                    f"model {self.name}: its tokenizer's {role} {token!r} is token {number}, but there"
                    f" are {self.config.vocab_size} embeddings; resize_token_embeddings, and save both"
                )

    def model(
        self, task: Task, labels: Sequence[str], *, attention: str | None = None
    ) -> tuple[PreTrainedModel, tuple[str, ...]]:
        """Itself with a task's head, and the names of the modules that nobody has trained.

        Those come out different each time, so whoever trains must keep them whole. Raises
        ``InputError`` when the weights can't be read or lack a part of the encoder.
        """
        head = HEADS[task.head]
        # Many a decoder is stored in half precision, in which small steps would be lost.
        options: dict[str, Any] = {"dtype": torch.float32}
        if attention is not None:
            options["attn_implementation"] = attention
        if labels:
            options |= {
                "num_labels": len(labels),
                "label2id": {label: number for number, label in enumerate(labels)},
                "id2label": dict(enumerate(labels)),
                "problem_type": head.problem_type,
            }
        try:
            model, loading = getattr(transformers, head.model_class).from_pretrained(
                self.name,
                ignore_mismatched_sizes=True,  # another number of labels before: a new head
                output_loading_info=True,
                **head.model_options(self.config),
                **options,
            )
        except UNREADABLE as error:
            raise _unreadable(self.name, error) from error
        renewed = {*loading["missing_keys"], *(key for key, *_ in loading["mismatched_keys"])}
        new = {name for name in head.modules if any(is_within(key, (name,)) for key in renewed)}
        lacking = {
            key.removeprefix(f"{model.base_model_prefix}.").split(".")[0]
            for key in renewed
            if not is_within(key, (*new, *head.zeros))
        }
        if lacking:
            raise InputError(
                f"model {self.name} lacks the weights of its {', '.join(sorted(lacking))};"
                " give a whole pretrained model"
            )
        return model, tuple(sorted(new))


def _require_decoder(name: str, config: PretrainedConfig) -> None:
    """Raise ``InputError`` unless each token of a text is told from those before it alone."""
    kind = config.model_type
    # transformers makes causal models of encoders, too, whose tokens see what they are to tell.
    if kind not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES or kind in MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        raise InputError(
            f"model {name} is of type {kind!r}, which is no decoder; give a causal language model, such as"
            " one of the families llama, qwen2, mistral, gemma2, gpt2"
        )


def _unreadable(name: str, error: Exception) -> InputError:
    reason = " ".join(str(error).split())
    return InputError(
        f"model {name} can't be loaded ({reason:.160}…); give a model folder, or a hub id that"
        " this machine can reach"
    )
