"""A file written again with its rows changed, in its own format and with all else as it was."""

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any, TextIO

from strop.errors import InputError

from ..formats import Row, conll, jsonl, squad, table
from ..formats.lines import read_lines

# A row changed, or None for a row to leave out.
Change = Callable[[Row], Mapping[str, object] | None]


def rewrite(source: Path, target: Path, change: Change) -> None:
    """Read ``source``, change each row, write ``target``; the file's ending says the format.

    Raises ``InputError`` for what can't be read, or can't be written in that format.
    """
    suffix = source.with_suffix("").suffix if source.suffix.lower() == ".gz" else source.suffix
    writer = WRITERS.get(suffix.lower())
    if writer is None:
        raise InputError(f"{source} can't be written again; give {', '.join(WRITERS)} (.gz too)")
    writer(source, target, change)


def _jsonl(source: Path, target: Path, change: Change) -> None:
    with _text_file(target) as file:
        for place, row in jsonl.read(source):
            changed = change((f"{source} {place}", row))
            if changed is not None:
                file.write(f"{json.dumps(changed, ensure_ascii=False)}\n")


def _csv(source: Path, target: Path, change: Change) -> None:
    _table(source, target, change, table.read_csv(source), ",")


def _tsv(source: Path, target: Path, change: Change) -> None:
    _table(source, target, change, table.read_tsv(source), "\t")


def _table(source: Path, target: Path, change: Change, rows: Iterator[Row], delimiter: str) -> None:
    with _text_file(target) as file:
        out = None
        for place, row in rows:
            if out is None:
                out = csv.DictWriter(file, list(row), delimiter=delimiter)
                out.writeheader()
            changed = change((f"{source} {place}", row))
            if changed is not None:
                out.writerow(changed)


def _parquet(source: Path, target: Path, change: Change) -> None:
    # Not at the top: most files are no Parquet.
    import pyarrow as pa
    from pyarrow import parquet

    number = 0
    # Not read_parquet: classes stay the numbers that the schema has them as.
    try:
        with (
            parquet.ParquetFile(source) as read,
            parquet.ParquetWriter(target, read.schema_arrow) as write,
        ):
            for batch in read.iter_batches():
                kept = []
                for row in batch.to_pylist():
                    number += 1
                    changed = change((f"{source} row {number}", row))
                    if changed is not None:
                        kept.append(changed)
                write.write_table(pa.Table.from_pylist(kept, schema=read.schema_arrow))
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise InputError(f"{source} is not a Parquet file: {reason}; write it again") from error


def _conll(source: Path, target: Path, change: Change) -> None:
    """First columns change; the other columns, and the lines between sentences, stay."""
    sentences = conll.read(source)
    with _text_file(target) as file:
        pending: list[str] = []
        for line in chain(read_lines(source), [""]):
            columns = conll.split_columns(line)
            if columns and columns[0] != conll.DOCUMENT_START:
                pending.append(line)
                continue
            if pending:
                place, row = next(sentences)
                changed = change((f"{source} {place}", row))
                if changed is not None:
                    file.writelines(_with_tokens(pending, changed["tokens"]))
                pending = []
            file.write(line)


def _with_tokens(lines: list[str], tokens: object) -> Iterator[str]:
    assert isinstance(tokens, list)  # noqa: S101  # as the row that was changed
    for line, token in zip(lines, tokens, strict=True):
        yield line.replace(conll.split_columns(line)[0], str(token), 1)


def _squad(source: Path, target: Path, change: Change) -> None:
    """Read whole, as its one JSON value must be; what only looks like an answer is left out."""
    rows = list(squad.read(source))
    content = json.loads("".join(read_lines(source)))
    changed = (change((f"{source} {place}", row)) for place, row in rows)
    for article in content["data"]:
        for paragraph in article["paragraphs"]:
            paragraph["qas"] = [
                _question(article, paragraph, question, row)
                for question, row in zip(paragraph["qas"], changed, strict=False)
                if row is not None
            ]
        article["paragraphs"] = [paragraph for paragraph in article["paragraphs"] if paragraph["qas"]]
    with _text_file(target) as file:
        json.dump(content, file, ensure_ascii=False)


def _question(
    article: dict[str, Any], paragraph: dict[str, Any], question: dict[str, Any], row: Mapping[str, Any]
) -> dict[str, Any]:
    """A question from its changed row, whose passage and title are its paragraph's and article's."""
    article["title"], paragraph["context"] = row["title"], row["context"]
    answers = zip(row["answers"]["text"], row["answers"]["answer_start"], strict=True)
    kept = {name: value for name, value in question.items() if name != "plausible_answers"}
    return {
        **kept,
        "id": row["id"],
        "question": row["question"],
        "answers": [{"text": text, "answer_start": start} for text, start in answers],
    }


WRITERS: Mapping[str, Callable[[Path, Path, Change], None]] = {
    ".jsonl": _jsonl,
    ".csv": _csv,
    ".tsv": _tsv,
    ".parquet": _parquet,
    ".conll": _conll,
    ".iob": _conll,
    ".iob2": _conll,
    ".json": _squad,
}


@contextmanager
def _text_file(path: Path) -> Iterator[TextIO]:
    """A UTF-8 file, gzipped where its name ends in ``.gz``; the same text gives the same bytes."""
    with path.open("wb") as raw:
        if path.suffix.lower() != ".gz":
            with io.TextIOWrapper(raw, encoding="utf-8", newline="") as file:
                yield file
            return
        with (
            gzip.GzipFile(filename="", mode="wb", fileobj=raw, mtime=0) as packed,
            io.TextIOWrapper(packed, encoding="utf-8", newline="") as file,
        ):
            yield file
