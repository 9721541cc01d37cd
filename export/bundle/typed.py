"""JSON read into dataclasses: fields are what their annotations say, or refused by name."""

import dataclasses
import json
import types
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeVar, Union, cast, get_args, get_origin, get_type_hints

T = TypeVar("T")
Reader = Callable[[Any], Any]
"""Makes a value of its JSON; ``ValueError`` where it can't."""


def parse(text: str | bytes) -> Any:
    """What ``json.loads`` gives; ``ValueError`` also where a name stands twice or it nests too deep."""
    try:
        return json.loads(text, object_pairs_hook=_unique)
    except RecursionError as error:
        raise ValueError("it nests too deep") from error


def build(kind: type[T], value: Any, where: str = "", readers: Mapping[type, Reader] | None = None) -> T:
    """A dataclass of a JSON object; types that are written in a way of their own have ``readers``.

    ``ValueError`` names the field that is missing, unknown or of another type. A number without a
    fraction may stand for a float, as JSON writers have it; text must be such as UTF-8 can hold.
    """
    return _Builder(readers or {}).dataclass(kind, value, where)


class _Builder:
    def __init__(self, readers: Mapping[type, Reader]) -> None:
        self._readers = readers

    def dataclass(self, kind: type[T], value: Any, where: str) -> T:
        _require(isinstance(value, Mapping), where, "an object", value)
        hints = get_type_hints(kind)
        fields = {field.name: field for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
        if unknown := sorted(value.keys() - fields.keys()):
            known = ", ".join(fields)
            raise ValueError(f"{where or 'it'} has {unknown[0]!r}, which is not known; known are {known}")
        for name, field in fields.items():
            required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
            if required and name not in value:
                raise ValueError(f"{_join(where, name)} is missing")
        return kind(
            **{name: self._value(hints[name], one, _join(where, name)) for name, one in value.items()}
        )

    def _value(self, hint: Any, value: Any, where: str) -> Any:
        origin, inner = get_origin(hint), get_args(hint)
        if hint is Any:
            return value
        if hint in self._readers:
            _require(isinstance(value, Mapping), where, "an object", value)
            return self._readers[hint](value)
        if origin in (types.UnionType, Union):
            (wanted,) = (one for one in inner if one is not types.NoneType)
            return None if value is None else self._value(wanted, value, where)
        if origin is Literal:
            _require(value in inner, where, " or ".join(inner), value)
            return value
        if origin is tuple:
            return self._tuple(inner, value, where)
        if origin is Mapping:
            _require(isinstance(value, Mapping), where, "an object", value)
            return {
                _plain(str, name, where): self._value(inner[1], one, _join(where, name))
                for name, one in value.items()
            }
        if dataclasses.is_dataclass(hint):
            return self.dataclass(cast(type, hint), value, where)
        return _plain(hint, value, where)

    def _tuple(self, inner: Sequence[Any], value: Any, where: str) -> tuple[Any, ...]:
        _require(isinstance(value, list), where, "a list", value)
        kinds = [inner[0]] * len(value) if inner[-1] is Ellipsis else list(inner)
        _require(len(kinds) == len(value), where, f"a list of {len(kinds)}", value)
        pairs = zip(kinds, value, strict=True)
        return tuple(
            self._value(kind, one, f"{where}[{number}]") for number, (kind, one) in enumerate(pairs)
        )


def _plain(kind: type, value: Any, where: str) -> Any:
    # A bool is an int to Python.
    if kind is float and type(value) is int:
        return _float(value, where)
    if not (isinstance(value, kind) and (kind is bool or not isinstance(value, bool))):
        _require(False, where, NAMES.get(kind, kind.__name__), value)
    if kind is str:
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"{where} has half a surrogate pair at {error.start}") from error
    return value


NAMES = {str: "a text", int: "a whole number", float: "a number", bool: "true or false"}


def _float(value: int, where: str) -> float:
    try:
        return float(value)
    except OverflowError as error:
        raise ValueError(f"{where} is too large a number") from error


def _require(so: bool, where: str, wanted: str, value: Any) -> None:
    if not so:
        shown = repr(value)
        shown = shown if len(shown) <= 40 else f"{shown[:40]}…"
        raise ValueError(f"{where or 'it'} is {shown} and should be {wanted}")


def _join(where: str, name: str) -> str:
    # Quoted unless it is a plain one: it may be anything, and a refusal is one line.
    name = name if name.isidentifier() else repr(name)
    return f"{where}.{name}" if where else name


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise ValueError(f"{name!r} stands twice in an object")
        found[name] = value
    return found
