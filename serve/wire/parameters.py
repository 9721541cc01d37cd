"""The parameters of a ModelInfer request that mean something here; others are ignored, as Triton does."""

from collections.abc import Mapping
from dataclasses import dataclass

from strop.proto import open_inference_pb2 as pb

from ..core import Priority
from ..errors import InvalidArgumentError

LARGEST = 2**64 - 1
INTERACTIVE_LEVELS = (0, 1)
"""Triton's levels: 0 is the model's default and 1 the highest."""

Parameters = Mapping[str, pb.InferParameter]


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the parameters of a request ask for."""

    refuse_long: bool = False
    priority: Priority = Priority.INTERACTIVE
    seconds: float = float("inf")
    """From now until the answer is worth nothing to the caller."""


NO_WISHES = Wishes()


def read_wishes(parameters: Parameters) -> Wishes:
    """Read ``on_long``, ``priority`` and ``timeout``; ``InvalidArgumentError`` names a wrong value."""
    if not parameters:
        return NO_WISHES
    timeout = read_count(parameters, "timeout", 0)
    bulk = read_count(parameters, "priority", 0) not in INTERACTIVE_LEVELS
    return Wishes(
        refuse_long=_refuse_long(parameters),
        priority=Priority.BULK if bulk else Priority.INTERACTIVE,
        seconds=timeout / 1e6 if timeout else float("inf"),
    )


def read_count(parameters: Parameters, name: str, default: int) -> int:
    """A whole number from 0 on, which clients send as int64, uint64 or in digits."""
    if name not in parameters:
        return default
    value = _value(parameters[name])
    if isinstance(value, str) and len(value) <= len(str(LARGEST)) and value.isdecimal():
        value = int(value)
    # A bool is an int to Python.
    if type(value) is not int or not 0 <= value <= LARGEST:
        raise InvalidArgumentError(f"parameter {name!r} is {value!r}; send a whole number, at least 0")
    return value


def _refuse_long(parameters: Parameters) -> bool:
    if "on_long" not in parameters:
        return False
    wish = _value(parameters["on_long"])
    if wish not in ("truncate", "refuse"):
        raise InvalidArgumentError(f"parameter 'on_long' is {wish!r}; send truncate or refuse")
    return wish == "refuse"


def _value(parameter: pb.InferParameter) -> bool | int | float | str | None:
    choice = parameter.WhichOneof("parameter_choice")
    value: bool | int | float | str | None = getattr(parameter, choice) if choice else None
    return value
