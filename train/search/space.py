"""Where a search looks: which options it varies, and between which values."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

from strop.errors import InputError

from ..losses.options import LossOptions
from ..methods.options import MethodOptions

if TYPE_CHECKING:
    from ..config import TrainConfig

LOGARITHMIC = ("learning_rate", "lora_rank", "lora_alpha", "batch_size")
"""Options of which a range is searched by factors: from 1e-4 to 1e-3 is as far as from 1e-3 to 1e-2."""
SEARCHABLE = (
    *("epochs", "warmup_share", "batch_size", "accumulation"),
    *(one.name for group in (MethodOptions, LossOptions) for one in fields(group) if one.name != "method"),
)
"""What changes how a model is learnt. Methods differ in most of these: they are searched one by one."""
OVER_CLASSES = ("label_smoothing", "class_weights", "focal_gamma", "r_drop")
BY_RANK = ("lora_rank", "lora_alpha", "lora_dropout")


@dataclass(frozen=True)
class Range:
    """Every number between two, the ends with them; whole ones where both are."""

    low: float
    high: float
    log: bool = False

    def __contains__(self, value: object) -> bool:
        return isinstance(value, int | float) and self.low <= value <= self.high


@dataclass(frozen=True)
class Choice:
    """One of these values."""

    values: tuple[Any, ...]

    def __contains__(self, value: object) -> bool:
        return value in self.values


Dimension = Range | Choice
Space = Mapping[str, Dimension]


def search_space(config: "TrainConfig") -> Space:
    """The options that are searched, by field name: round the given ones, but where the user says.

    Raises ``InputError`` for an option that can't be searched or has no effect, and for values that it
    can't have.
    """
    given = {name.replace("-", "_"): values for name, values in config.space.items()}
    return _usual(config) | {name: _dimension(config, name, values) for name, values in given.items()}


def _usual(config: "TrainConfig") -> dict[str, Dimension]:
    """What is worth varying for this method and task, round the given values."""
    rate, epochs, batch = config.peak_learning_rate, config.epochs, config.batch_size
    space: dict[str, Dimension] = {
        "learning_rate": Range(rate / 5, rate * 5, log=True),
        "epochs": Range((epochs + 1) // 2, 2 * epochs),
        "batch_size": Choice(tuple(sorted({max(1, batch // 2), batch, 2 * batch}))),
        "warmup_share": Range(0.0, max(0.2, config.warmup_share)),
        "weight_decay": Range(0.0, max(0.1, config.weight_decay)),
        "encoder_dropout": Range(0.0, max(0.3, config.encoder_dropout or 0.0)),
    }
    further: dict[str, Dimension] = {
        "lora_rank": Range(min(4, config.lora_rank), max(64, config.lora_rank), log=True),
        "virtual_tokens": Range(max(1, config.virtual_tokens // 4), 2 * config.virtual_tokens),
        "label_smoothing": Range(0.0, max(0.2, config.label_smoothing)),
    }
    return space | {name: one for name, one in further.items() if _unfit(config, name) is None}


def _unfit(config: "TrainConfig", name: str) -> str | None:
    """Why an option has no effect beside the others that are given, or None."""
    if name in OVER_CLASSES and not config.columns.task.one_choice:
        return f"--task {config.task} has no single class to an answer"
    if name in BY_RANK and not config.chosen_method.low_rank:
        return f"--method {config.method} adds no matrices of low rank"
    if name == "virtual_tokens" and not config.chosen_method.virtual_tokens:
        return f"--method {config.method} has no virtual tokens"
    return None


def _dimension(config: "TrainConfig", name: str, texts: Sequence[str]) -> Dimension:
    """What the user says of one option."""
    where = f"--space.{name.replace('_', '-')}"
    if name not in SEARCHABLE:
        raise InputError(f"{where} can't be searched; give some of {', '.join(SEARCHABLE)}")
    if reason := _unfit(config, name):
        raise InputError(f"{where} has no effect: {reason}; leave it out")
    if not texts:
        raise InputError(f"{where} has no values; give a range, choices, or one value to keep")
    values = [_read(where, get_type_hints(type(config))[name], text) for text in texts]
    for value in values:
        try:
            replace(config, space={}, **{name: value})
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    numbers = [value for value in values if not isinstance(value, str)]
    if len(numbers) != 2:
        return Choice(tuple(dict.fromkeys(values)))
    low, high = numbers
    if not low < high:
        raise InputError(f"{where} goes from {texts[0]} to {texts[1]}; give the lower end first")
    return Range(low, high, log=name in LOGARITHMIC)


def _read(where: str, hint: object, text: str) -> Any:
    """A value of an option with this annotation."""
    if get_origin(hint) is Literal:
        words = get_args(hint)
        if text not in words:
            raise InputError(f"{where} is {text!r}; give some of {', '.join(words)}")
        return text
    whole = int in (hint, *get_args(hint))
    try:
        number = int(text) if whole else float(text)
    except ValueError as error:
        raise InputError(f"{where} is {text!r}; give a {'whole ' * whole}number") from error
    if not math.isfinite(number):
        raise InputError(f"{where} is {text!r}; give a finite number")
    return number


def given_values(config: "TrainConfig", dropout: float | None) -> dict[str, Any]:
    """The given options' values within their space; ``dropout`` is the encoder's own.

    What lies outside, because the space was narrowed, is left out.
    """
    space = search_space(config)
    values = {name: getattr(config, name) for name in space}
    values |= {"learning_rate": config.peak_learning_rate, "lora_alpha": config.alpha}
    if config.encoder_dropout is None:
        values["encoder_dropout"] = dropout
    return {name: values[name] for name, one in space.items() if values[name] in one}
