"""All that is known of a data set, for a reader and for a program."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Self

from rich.table import Table

from .classes import class_counts, find_unlearnable
from .copies import find_copies, find_shared_passages
from .entries import TARGETS, Entries
from .findings import Finding
from .lengths import Lengths, characters, measure, tokens, words

UNUSABLE = "unusable row"
SHOWN = 5
"""Findings of a kind that a reader is shown; of rows that can't be used, all."""


@dataclass(frozen=True)
class Survey:
    """Findings and facts."""

    columns: tuple[str, ...]
    """What was read as content."""
    target: str | None
    """The column to predict."""
    rows: Mapping[str, int]
    """Rows that can be used, by split."""
    classes: Mapping[str, Mapping[str, int]]
    """Rows by label, by split; a row may have several. Empty where the target is a number or missing."""
    lengths: tuple[Lengths, ...]
    findings: tuple[Finding, ...]

    @classmethod
    def of(cls, entries: Entries, *, model: str | None, max_tokens: int, odds: float | None) -> Self:
        """Run every check that applies; ``odds`` None leaves out suspect labels.

        Raises ``InputError`` when the model's tokenizer can't be had.
        """
        measured = _lengths(entries, model, max_tokens)
        findings = [Finding(UNUSABLE, True, (where,), reason) for where, reason in entries.unusable.items()]
        findings += find_copies(entries.usable, of_classes=entries.of_classes)
        findings += find_shared_passages(entries.usable)
        findings += find_unlearnable(entries.usable, of_classes=entries.of_classes)
        if entries.of_classes and odds is not None:
            # Not at the top: it loads scikit-learn, for those who ask alone.
            from .suspects import find_suspects

            findings += find_suspects(entries.usable, odds)
        for _, long in measured:
            findings += long
        return cls(
            columns=entries.columns,
            target=entries.target_column,
            rows=dict(Counter(entry.split for entry in entries.usable)),
            classes=class_counts(entries.usable),
            lengths=tuple(lengths for lengths, _ in measured),
            findings=tuple(findings),
        )

    def parts(self) -> Iterator[Table | str]:
        """For a terminal: rows and lengths, classes, then the findings, worst first."""
        yield self._facts()
        if self.classes:
            yield self._classes()
        kinds: dict[str, list[Finding]] = defaultdict(list)
        for finding in sorted(self.findings, key=lambda finding: not finding.spoils):
            kinds[finding.check].append(finding)
        for check, found in kinds.items():
            shown = found if check == UNUSABLE else found[:SHOWN]
            yield f"\n{check}: {len(found)}{' (spoils a score)' if found[0].spoils else ''}"
            for finding in shown:
                more = f" and {len(finding.rows) - SHOWN} more" if len(finding.rows) > SHOWN else ""
                yield f"  {', '.join(finding.rows[:SHOWN])}{more}: {finding.note}"
            if len(found) > len(shown):
                yield f"  … and {len(found) - len(shown)} more: --json lists them"
        if not kinds:
            yield "nothing found"
        if self.target is None:
            yield f"labels were not looked at: there is no column {', '.join(TARGETS)}; see --label-column"

    def _facts(self) -> Table:
        limited = any(one.limit is not None for one in self.lengths)
        table = Table("split", "rows", "length in", "p50", "p90", "p95", "p99", "longest")
        if limited:
            table.add_column("too long")
        for column in table.columns[3:]:
            column.justify = "right"
        for split, count in self.rows.items():
            for one in self.lengths:
                limit = (f"{one.over[split]} (over {one.limit})",) if limited else ()
                table.add_row(split, str(count), one.unit, *map(str, one.by_split[split].values()), *limit)
        return table

    def _classes(self) -> Table:
        table = Table(f"{self.target}", *self.classes)
        labels = sorted({label for counts in self.classes.values() for label in counts})
        for label in labels:
            cells = ((counts.get(label, 0), self.rows[split]) for split, counts in self.classes.items())
            table.add_row(label, *(f"{count} ({count / rows:.1%})" for count, rows in cells))
        return table


def _lengths(entries: Entries, model: str | None, max_tokens: int) -> list[tuple[Lengths, list[Finding]]]:
    if model is None:
        return [
            measure(entries.usable, "words", words),
            measure(entries.usable, "characters", characters),
        ]
    # Not at the top: only a model's tokens need transformers.
    from ...encoder import Encoder

    encoder = Encoder.open(model)
    limit = min(max_tokens, encoder.longest)
    return [measure(entries.usable, "tokens", tokens(encoder.tokenizer()), limit)]
