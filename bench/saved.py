"""Reports of ``strop bench`` read again from disk."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from strop.errors import InputError, reason


@dataclass(frozen=True)
class SavedReport:
    """The fields of a report, as its JSON has them: seconds, texts per second, US dollars."""

    path: Path
    fields: Mapping[str, Any]

    @classmethod
    def read(cls, path: Path) -> Self:
        """The report at ``path``; ``InputError`` for what is none."""
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, ValueError) as error:
            raise InputError(
                f"{path} can't be read: {reason(error)}; give the .json of strop bench"
            ) from error
        if not isinstance(fields, dict) or not str(fields.get("schema", "")).startswith("strop.bench/"):
            raise InputError(f"{path} is not a report of strop bench; give its .json")
        return cls(path, fields)

    def __getitem__(self, name: str) -> Any:
        """A field; ``InputError`` where a report of another age has none of that name."""
        try:
            return self.fields[name]
        except KeyError as error:
            raise InputError(f"{self.path} has no {name!r}; bench again") from error

    @property
    def rate(self) -> float | None:
        """Texts per second sustained within the SLO; ``None`` where no rate tried met it."""
        rate = self["sustained_rate"]
        return float(rate) if isinstance(rate, int | float) and rate > 0 else None

    @property
    def percentiles(self) -> Mapping[str, float | None]:
        """Of the phase that sustained ``rate``, in seconds; empty where none did."""
        met = [phase for phase in self["phases"] if phase["loop"] == "open" and phase["failure"] is None]
        best = max(met, key=lambda phase: float(phase["summary"]["rate"]), default=None)
        found: Mapping[str, float | None] = best["summary"]["percentiles"] if best else {}
        return found

    @property
    def metrics(self) -> Mapping[str, float]:
        """The task's, over the wire; empty where nothing was labelled."""
        accuracy = self["accuracy"]
        found: Mapping[str, float] = accuracy["metrics"] if accuracy else {}
        return found

    @property
    def costs(self) -> Mapping[str, float]:
        """US dollars per million texts by machine; empty where no rate met the SLO."""
        return {
            one["name"]: one["dollars_per_million"]
            for one in self["costs"]
            if one["dollars_per_million"] is not None
        }
