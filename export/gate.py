"""The accuracy gate: a variant must keep its share of the fp32 reference's accuracy, or isn't written."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verdict:
    """Whether a variant may be shipped."""

    accuracy: float
    reference: float
    floor: float
    """Smallest share allowed; MLPerf inference asks 0.99 of fp32."""

    @property
    def share(self) -> float:
        """Accuracy as a share of the reference's; 1.0 when both are zero."""
        return self.accuracy / self.reference if self.reference else 1.0

    @property
    def passed(self) -> bool:
        """Whether the share reaches the floor."""
        return self.share >= self.floor

    def __str__(self) -> str:
        """One phrase for messages and reports."""
        share = f"{self.share:.2%} of fp32's accuracy"
        if self.passed:
            return f"shipped with {share}"
        return f"refused with {share}, {self.floor - self.share:.2%} below the gate"
