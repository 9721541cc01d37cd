"""A row without its personal data, its offsets still right."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from strop.errors import InputError
from strop.redaction import Span, masked

from ..fields import answers_of, tags_of
from ..formats import Row

Find = Callable[[str], Sequence[Span]]


class Masker:
    """Replaces personal data by its kind, such as [EMAIL], and counts what it replaced."""

    def __init__(self, find: Find) -> None:
        """Mask what ``find`` finds."""
        self._find = find
        self.counts: Counter[str] = Counter()
        """Replacements by kind."""

    def row(self, row: Row) -> Mapping[str, object]:
        """The row with every text in it masked, however deep.

        Tokens keep their tags and answers their place. Raises ``InputError`` when an answer cuts
        through what must be masked, or the row's tags or answers were wrong before.
        """
        where, values = row
        if "tokens" in values and "tags" in values:
            tokens, _ = tags_of(where, values)
            held = {"tokens": self.tokens(tokens), "tags": values["tags"]}
        elif "context" in values and "answers" in values:
            held = self._answered(where, values)
        else:
            held = {}
        return {
            column: held[column] if column in held else self._value(value)
            for column, value in values.items()
        }

    def text(self, text: str) -> str:
        """A text with each finding replaced."""
        spans = self._find(text)
        self.counts.update(span.kind for span in spans)
        return masked(text, spans)

    def tokens(self, tokens: Sequence[str]) -> list[str]:
        """As many tokens; what runs over several, such as a phone number, masks each of them."""
        spans = self._find(" ".join(tokens))
        self.counts.update(span.kind for span in spans)
        changed, start = [], 0
        for token in tokens:
            within = [
                Span(max(span.start - start, 0), min(span.end - start, len(token)), span.kind)
                for span in spans
                if span.start < start + len(token) and start < span.end
            ]
            changed.append(masked(token, within))
            start += len(token) + 1
        return changed

    def _value(self, value: object) -> object:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {name: self._value(item) for name, item in value.items()}
        if isinstance(value, list):
            return [self._value(item) for item in value]
        return value

    def _answered(self, where: str, values: Mapping[str, object]) -> dict[str, object]:
        answers = answers_of(where, values)
        context = str(values["context"])
        spans = self._find(context)
        edges = [(start, start + len(text)) for start, text in answers]
        if any(span.start < edge < span.end for span in spans for pair in edges for edge in pair):
            raise InputError(f"{where}: an answer is part of what must be masked; remove the row")
        changed = self.text(context)
        starts = [_moved(start, spans) for start, _ in edges]
        # Masked alone, an answer may read differently: its place in the context decides.
        texts = [changed[start : _moved(end, spans)] for start, (_, end) in zip(starts, edges, strict=True)]
        if isinstance(values["answers"], list):
            pairs = zip(starts, texts, strict=True)
            return {
                "context": changed,
                "answers": [{"text": text, "answer_start": start} for start, text in pairs],
            }
        return {"context": changed, "answers": {"text": texts, "answer_start": starts}}


def _moved(place: int, spans: Sequence[Span]) -> int:
    """Where a place outside every span comes to lie when each is replaced by its kind."""
    return place + sum(
        len(f"[{span.kind}]") - (span.end - span.start) for span in spans if span.end <= place
    )
