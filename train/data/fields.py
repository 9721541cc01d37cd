"""What a column of a row must hold: a text, the name of a class, a tag a token, or answers."""

from collections.abc import Mapping

from strop.errors import InputError


def text_of(where: str, row: Mapping[str, object], column: str, option: str = "--text-column") -> str:
    """A text with something in it; ``InputError`` with the place, the value and the fix."""
    value = _value(where, row, column, option)
    if value is None or value == "":
        raise InputError(f"{where}: {column!r} is empty; give it a text or remove the row")
    if not isinstance(value, str):
        raise InputError(f"{where}: {column!r} is {value!r:.60}, not text; quote it")
    if not value.strip():
        raise InputError(f"{where}: {column!r} is blank; give it a text or remove the row")
    return _unicode(where, column, value)


def label_of(where: str, row: Mapping[str, object], column: str, option: str = "--label-column") -> str:
    """The name of a class, which may be a whole number; ``InputError`` as ``text_of``."""
    value = _value(where, row, column, option)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if value is None or (isinstance(value, str) and not value.strip()):
        raise InputError(f"{where}: {column!r} is empty; give it a class name or remove the row")
    if not isinstance(value, str):
        raise InputError(f"{where}: {column!r} is {value!r:.60}; a class is a name or whole number")
    return _unicode(where, column, value)


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
) -> list[tuple[int, str]]:
    """Where each answer starts in the context, in characters, and its text; none of a question without.

    Takes SQuAD's list of answers and the two lists that ``datasets`` makes of it. Raises
    ``InputError`` as ``text_of``, and when an answer is not what stands there.
    """
    context = text_of(where, row, context_column)
    value = _value(where, row, answers_column, f"--{answers_column}-column")
    try:
        found = list(zip(value["answer_start"], value["text"], strict=True))  # type: ignore[index]
    except (TypeError, KeyError, ValueError):
        found = [
            (answer.get("answer_start"), answer.get("text")) if isinstance(answer, dict) else (None, None)
            for answer in _list(where, row, answers_column)
        ]
    for start, text in found:
        there = isinstance(start, int) and isinstance(text, str) and start >= 0 and text
        if not there or context[start : start + len(text)] != text:
            raise InputError(
                f"{where}: answer {text!r:.60} does not stand at character {start} of {context_column!r};"
                " count characters, not bytes"
            )
    return found


def _list(where: str, row: Mapping[str, object], column: str) -> list[object]:
    value = _value(where, row, column, f"--{column}-column")
    if not isinstance(value, list):
        raise InputError(f"{where}: {column!r} is {value!r:.60}; give a list")
    return value


def _value(where: str, row: Mapping[str, object], column: str, option: str) -> object:
    if column not in row:
        there = ", ".join(map(str, row)) or "no column"
        raise InputError(f"{where} has no column {column!r}; it has: {there} (see {option})")
    return row[column]


def _unicode(where: str, column: str, value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise InputError(
            f"{where}: {column!r} holds half a surrogate pair at character {error.start};"
            " write the whole character"
        ) from error
    return value
