"""SQuAD JSON, versions 1.1 and 2: articles of paragraphs, each with its questions.

The format is Rajpurkar et al., "SQuAD: 100,000+ Questions for Machine Comprehension of Text", EMNLP
2016, and "Know What You Don't Know: Unanswerable Questions for SQuAD", ACL 2018.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TypeVar

from strop.errors import InputError

from . import Row
from .lines import read_lines

Kind = TypeVar("Kind")


def read(path: Path) -> Iterator[Row]:
    """Questions, each at a place such as ``data[0].paragraphs[2].qas[1]``.

    Columns: ``id``, ``title``, ``question``, ``context`` and ``answers``, which is ``text`` and
    ``answer_start`` (characters into the context): two lists, empty when there is no answer. The
    file is one JSON value, so that it is read whole.
    """
    try:
        content = json.loads("".join(read_lines(path)))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not JSON ({error}); write it again") from error
    if not isinstance(content, dict) or "data" not in content:
        raise InputError(
            f"{path} is not SQuAD: no 'data' at its top; rows of another kind go in .jsonl, one a line"
        )
    for at, article in _items(f"{path} ", content, "data"):
        title = _field(at, article, "title", str, "")
        for there, paragraph in _items(f"{at}.", article, "paragraphs"):
            context = _field(there, paragraph, "context", str)
            for where, question in _items(f"{there}.", paragraph, "qas"):
                row = {
                    "id": _field(where, question, "id", str),
                    "title": title,
                    "question": _field(where, question, "question", str),
                    "context": context,
                    "answers": _answers(where, question),
                }
                yield where.removeprefix(f"{path} "), row


def _answers(where: str, question: Mapping[str, object]) -> Mapping[str, list[object]]:
    # Version 2 keeps what only looks like an answer apart, as plausible_answers.
    impossible = _field(where, question, "is_impossible", bool, False)
    answers = [] if impossible else list(_items(f"{where}.", question, "answers"))
    return {
        "text": [_field(at, answer, "text", str) for at, answer in answers],
        "answer_start": [_field(at, answer, "answer_start", int) for at, answer in answers],
    }


def _items(
    prefix: str, value: Mapping[str, object], name: str
) -> Iterator[tuple[str, Mapping[str, object]]]:
    """The objects of a list, each with its place."""
    for index, item in enumerate(_field(prefix.rstrip(". "), value, name, list)):
        if not isinstance(item, dict):
            raise InputError(f"{prefix}{name}[{index}] is {item!r:.60}; SQuAD has an object there")
        yield f"{prefix}{name}[{index}]", item


def _field(
    where: str, value: Mapping[str, object], name: str, kind: type[Kind], default: Kind | None = None
) -> Kind:
    """A field of a type; ``InputError`` with its place when it is missing or something else."""
    found = value.get(name, default)
    if found is None:
        raise InputError(f"{where} has no {name!r}; SQuAD needs it there")
    if not isinstance(found, kind) or (kind is int and isinstance(found, bool)):
        raise InputError(f"{where}: {name!r} is {found!r:.60}; SQuAD has a {kind.__name__} there")
    return found
