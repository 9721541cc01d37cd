"""What a search tried: a table for a terminal, a page with a picture beside the trials."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from rich.table import Table

from strop.markdown import Row, markdown_table

from ..report import REPORT_FILE
from ..scores import title
from .study import Trial

PICTURE = "trials.png"
COLOURS = {"finished": "tab:blue", "pruned": "0.6"}


@dataclass(frozen=True)
class SearchReport:
    """The trials of a search, and what they say of the options."""

    metric: str
    """The score's name."""
    trials: Sequence[Trial]
    best: Trial
    importances: Mapping[str, float]
    """The share of the scores' variance that each option explains; none from few trials."""
    host: str

    @property
    def cost(self) -> dict[str, Any]:
        """What the search took, for the run's record."""
        counts = Counter(one.state for one in self.trials)
        return {
            "trials": len(self.trials),
            **{state: counts[state] for state in ("finished", "pruned", "failed")},
            "seconds": round(sum(one.seconds for one in self.trials), 1),
            "best": self.best.number,
        }

    @property
    def headline(self) -> str:
        """The best trial and what all of them took, in one line."""
        cost, gain = self.cost, self.best.score - self.trials[0].score
        beside = "" if math.isnan(gain) else f" ({gain:+.4f} on the first trial)"
        return (
            f"trial {self.best.number} of {cost['trials']} is the best: {title(self.metric)}"
            f" {self.best.score:.4f} on the validation split{beside}; {cost['pruned']} pruned,"
            f" {cost['failed']} failed, {cost['seconds'] / 60:,.1f} minutes together"
        )

    @property
    def _columns(self) -> Row:
        return ("trial", title(self.metric), *map(spoken, self.best.options), "s", "")

    def _row(self, trial: Trial) -> Row:
        options = (short(trial.options[name]) for name in self.best.options)
        score = "" if trial.state == "failed" else f"{trial.score:.4f}"
        end = "best" if trial == self.best else trial.state.replace("finished", "")
        return (str(trial.number), score, *options, f"{trial.seconds:.0f}", end)

    def table(self) -> Table:
        """For a terminal, where a column for each option would not fit."""
        table = Table("trial", title(self.metric), "options", "s", "")
        for place in (0, 1, 3):
            table.columns[place].justify = "right"
        for trial in self.trials:
            number, score, *_, seconds, end = self._row(trial)
            chosen = told(trial.options)
            table.add_row(number, score, chosen, seconds, end, style="bold" if trial == self.best else None)
        return table

    def write(self, folder: Path, name: str) -> None:
        """The page, for the run of this name, and its picture."""
        self._draw(folder / PICTURE)
        failed = [f"Trial {one.number} failed: {one.note}.\n" for one in self.trials if one.note]
        lines = [
            f"# Search for the options of {name}",
            "",
            f"On {self.host}: {self.headline}. Trial 1 is the options as they were given. A trial that fell"
            " behind the median of the others was pruned; its score is the best until then. The best of"
            f" {len(self.trials)} scores is a little too good: what the run is worth, the test split says,"
            " which had no part in the search.",
            "",
            markdown_table(self._columns, map(self._row, self.trials)),
            "",
            *failed,
            f"![{title(self.metric)} by trial]({PICTURE})",
        ]
        (folder / REPORT_FILE).write_text("\n".join(lines) + "\n", encoding="utf-8")

    def _draw(self, path: Path) -> None:
        """The score by trial and, from enough of them, how much each option mattered."""
        figure = Figure(figsize=(7, 6 if self.importances else 3.5), layout="constrained")
        scores, *rest = figure.subplots(2 if self.importances else 1, 1, squeeze=False).flat
        for state, colour in COLOURS.items():
            found = [(one.number, one.score) for one in self.trials if one.state == state]
            scores.plot(*zip(*found, strict=True) if found else ((), ()), "o", color=colour, label=state)
        scores.axhline(self.best.score, color="tab:green", linestyle="--", label="best")
        scores.set(xlabel="trial", ylabel=f"{title(self.metric)} on the validation split")
        scores.xaxis.set_major_locator(MaxNLocator(integer=True))
        scores.grid(alpha=0.3)
        scores.legend()
        for axes in rest:
            shares = sorted(self.importances.items(), key=lambda item: item[1])
            axes.barh([spoken(name) for name, _ in shares], [share for _, share in shares])
            axes.set(xlabel="share of the scores' variance that the option explains", xlim=(0, 1))
        figure.savefig(path, dpi=120)


def told(options: Mapping[str, Any]) -> str:
    """Options and their values in one line."""
    return ", ".join(f"{spoken(name)} {short(value)}" for name, value in options.items())


def spoken(name: str) -> str:
    """An option's name as people write it."""
    return name.replace("_", " ")


def short(value: object) -> str:
    """A value in few digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)
