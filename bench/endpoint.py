"""An HTTP endpoint that answers JSON, as a TOML file declares it: what is sent, where the answer lies."""

import copy
import json
import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self

from strop.errors import InputError
from strop.tasks import TASKS

from .columns import Text
from .protocols import Reply
from .served import INPUTS, Served

TASK = "text-classification"
NUMBER = "$n"
"""In the path of a label or score: the place of the text in its call."""

Json = Any
Place = tuple[str | int, ...]


@dataclass(frozen=True)
class Endpoint:
    """One way to ask for labels over HTTP.

    In ``request``, the word "$text" stands for the text, "$texts" for the list of the call's texts;
    "$text_pair" and "$text_pairs" for the second ones of a model that judges two together.
    """

    path: str
    """Of the URL, such as /v1/classify; calls are posted there."""
    request: Json
    """What is sent, with words that stand for the texts."""
    label: Place
    """Keys and places that lead to a text's label in the reply."""
    score: Place | None = None
    """The same for its score, if there is one."""
    model: str = ""
    """What the report calls the model."""

    @classmethod
    def read(cls, file: Path) -> Self:
        """Read a TOML file of these keys; ``InputError`` names what is wrong, and the fix."""
        try:
            return cls.of(tomllib.loads(file.read_text(encoding="utf-8")))
        except OSError as error:
            raise InputError(
                f"--endpoint {file} can't be read: {error.strerror}; name another file"
            ) from error
        except (UnicodeDecodeError, tomllib.TOMLDecodeError, ValueError) as error:
            raise InputError(f"--endpoint {file}: {error}") from error

    @classmethod
    def of(cls, keys: Mapping[str, Any]) -> Self:
        """An endpoint of a file's keys; ``ValueError`` says what is wrong with them."""
        known = [field.name for field in fields(cls)]
        for key in keys:
            if key not in known:
                raise ValueError(f"unknown key {key!r}; keys: {', '.join(known)}")
        for key in ("path", "request", "label"):
            if key not in keys:
                raise ValueError(f"{key!r} is missing")
        path, request = keys["path"], keys["request"]
        if not isinstance(path, str) or not path.startswith("/"):
            raise ValueError(f"path is {path!r}; it must begin with a /")
        words = set(_words(request))
        if ("$text" in words) == ("$texts" in words):
            raise ValueError('request must have one of "$text", which stands for a text, and "$texts"')
        if _pair_words(words) - {"$text_pairs" if "$texts" in words else "$text_pair"}:
            raise ValueError('request must have "$text_pair" beside "$text", "$text_pairs" beside "$texts"')
        score = keys.get("score")
        return cls(
            path,
            request,
            _place("label", keys["label"]),
            None if score is None else _place("score", score),
            str(keys.get("model", "")),
        )

    @property
    def served(self) -> Served:
        """The model behind it, as far as a caller must know it."""
        pairs = bool(_pair_words(set(_words(self.request))))
        return Served.of(self.model or self.path, TASKS[TASK], pairs=pairs)

    @property
    def many(self) -> bool:
        """Whether a call may have several texts."""
        return "$texts" in set(_words(self.request)) and NUMBER in self.label


class JsonWire:
    """See ``Wire``: an endpoint's JSON."""

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    @property
    def method(self) -> str:
        """The path of the URL."""
        return self._endpoint.path

    def encode(self, texts: Sequence[Text], top_k: int | None = None) -> bytes:
        """See ``Wire``; ``InputError`` for several texts where the endpoint takes one."""
        if len(texts) != 1 and not self._endpoint.many:
            raise InputError(
                f'--texts-per-call is {len(texts)}; for more than 1 the endpoint\'s request needs "$texts"'
                f' and its label "{NUMBER}"'
            )
        words: dict[str, Json] = {}
        for name, column in zip(INPUTS, zip(*texts, strict=True), strict=False):
            words |= {f"${name}": column[0], f"${name}s": list(column)}
        return json.dumps(_filled(self._endpoint.request, words)).encode()

    def decode(self, reply: bytes) -> Reply:
        """See ``Wire``: a result for each text until a label's place leads nowhere."""
        endpoint, told = self._endpoint, json.loads(reply)
        results = []
        for number in range(_count(told, endpoint.label)):
            label = _at(told, endpoint.label, number)
            score = math.nan if endpoint.score is None else float(_at(told, endpoint.score, number))
            if not isinstance(label, str):
                raise ValueError(f"the label is {label!r}, not a string")
            results.append(((label, score),))
        return Reply(endpoint.model, "", "", tuple(results), None)


def _words(request: Json) -> list[str]:
    """The strings in a request that stand for something."""
    if isinstance(request, dict):
        return [word for value in request.values() for word in _words(value)]
    if isinstance(request, list):
        return [word for value in request for word in _words(value)]
    known = [f"${name}{plural}" for name in INPUTS for plural in ("", "s")]
    return [request] if request in known else []


def _pair_words(words: set[str]) -> set[str]:
    return words & {"$text_pair", "$text_pairs"}


def _filled(request: Json, words: Mapping[str, Json]) -> Json:
    if isinstance(request, dict):
        return {key: _filled(value, words) for key, value in request.items()}
    if isinstance(request, list):
        return [_filled(value, words) for value in request]
    return copy.copy(words.get(request, request)) if isinstance(request, str) else request


def _place(key: str, steps: Json) -> Place:
    if not isinstance(steps, list) or any(type(step) not in (str, int) for step in steps):
        raise ValueError(
            f'{key} is {steps!r}; write a list of keys and places, such as ["data", 0, "{key}"]'
        )
    if steps.count(NUMBER) > 1:
        raise ValueError(f'{key} has "{NUMBER}" more than once')
    return tuple(steps)


def _at(told: Json, place: Place, number: int) -> Json:
    """What lies there; ``KeyError``, ``IndexError`` or ``TypeError`` if nothing does."""
    for step in place:
        told = told[number if step == NUMBER else step]
    return told


def _count(told: Json, place: Place) -> int:
    """How many texts the reply answers: the length of the list that ``NUMBER`` counts in."""
    if NUMBER not in place:
        return 1
    return len(_at(told, place[: place.index(NUMBER)], 0))
