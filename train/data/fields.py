"""What a column of a row must hold: a text, the name of a class, a tag a token, or answers."""

from collections.abc import Callable, Mapping
from typing import TypeVar

from strop.errors import InputError
from strop.tasks import TASKS, Answers
from strop.tasks.question_answering import QuestionAnswering

CLASSES = TASKS["text-classification"]
QUESTIONS = QuestionAnswering()
Value = TypeVar("Value")


def value_of(
    where: str, row: Mapping[str, object], column: str, option: str, read: Callable[[object], Value]
) -> Value:
    """What ``read`` makes of a column; every fault is told with its place, the value and the fix.

    Raises ``InputError`` for a column that isn't there, for what ``read`` refuses with ``ValueError``, and
    for what can't be written as UTF-8.
    """
    if column not in row:
        there = ", ".join(map(str, row)) or "no column"
        raise InputError(f"{where} has no column {column!r}; it has: {there} (see {option})")
    try:
        value = read(row[column])
        for part in value if isinstance(value, tuple) else (value,):
            str(part).encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: {column!r} holds half a surrogate pair at character {error.start};"
            " write the whole character"
        ) from error
    except ValueError as error:
        raise InputError(f"{where}: {column!r} {error}") from error
    return value


def text_of(where: str, row: Mapping[str, object], column: str, option: str = "--text-column") -> str:
    """A text with something in it."""
    return value_of(where, row, column, option, CLASSES.read_text)


def label_of(where: str, row: Mapping[str, object], column: str, option: str = "--label-column") -> str:
    """The name of a class, which may be a whole number."""
    return value_of(where, row, column, option, lambda value: str(CLASSES.read_label(value, "", None)))


def tags_of(
    where: str, row: Mapping[str, object], tokens_column: str = "tokens", tags_column: str = "tags"
) -> tuple[list[str], list[str]]:
    """Tokens and their tags, as many of each; ``InputError`` as ``text_of``."""
    tokens, tags = (
        [text_of(f"{where} {column}[{index}]", {column: item}, column) for index, item in enumerate(values)]
        for column in (tokens_column, tags_column)
        for values in (_list(where, row, column),)
    )
    if len(tokens) != len(tags):
        raise InputError(
            f"{where} has {len(tokens)} {tokens_column!r} but {len(tags)} {tags_column!r}; give each"
            " token a tag"
        )
    return tokens, tags


def answers_of(
    where: str,
    row: Mapping[str, object],
    context_column: str = "context",
    answers_column: str = "answers",
) -> Answers:
    """Where each answer starts in the context, in characters, and its text; none of a question without.

    Raises ``InputError`` as ``text_of``, and when an answer is not what stands there.
    """
    context = text_of(where, row, context_column)

    def read(value: object) -> Answers:
        return QUESTIONS.read_label(value, "", context)

    return value_of(where, row, answers_column, "--label-column", read)


def _list(where: str, row: Mapping[str, object], column: str) -> list[object]:
    value = value_of(where, row, column, f"--{column}-column", lambda value: value)
    if not isinstance(value, list):
        raise InputError(f"{where}: {column!r} is {value!r:.60}; give a list")
    return value
