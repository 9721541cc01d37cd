"""Whether a share of bad news has risen above what it used to be: a sequential test, text by text."""

from dataclasses import dataclass
from enum import StrEnum
from math import sqrt

RECENT_TEXTS = 20
"""The half-life of the share that an alert tells."""
CALM_EVIDENCE = 1000.0
"""What ends a surge: less than what begins one, because an early end costs nothing but another alert."""
DEVIATIONS = 2.0
"""How far above its history, in standard errors, a share is still taken to have been all along."""
LARGEST = 0.999


class Event(StrEnum):
    """What a text can set off."""

    SURGE = "surge"
    OVER = "over"
    SETTLED = "settled"
    """The surge has lasted so long that it is what is usual from now on."""


@dataclass(frozen=True)
class Rules:
    """What counts as a surge."""

    odds: float = 2.0
    """How many times the odds of a bad text must have risen for it to be one."""
    false_alarm_every: float = 10_000.0
    """Texts, on average, until a stream in which nothing changes raises an alarm."""
    least: int = 100
    """Texts before there is a history to compare with."""
    half_life: float = 1000.0
    """Texts until one counts half in the history, and until a surge that lasts is what is usual."""


@dataclass
class Watch:
    """One stream of texts, good and bad: what it was like, and the evidence that this has changed.

    The evidence is the Shiryaev-Roberts statistic R = (1 + R) · L after each text, where L is how much
    likelier the text is if the odds of a bad one are ``odds`` times as high (Shiryaev 1963; Roberts 1966).
    While nothing changes, R less the number of texts is a martingale, so R takes ``false_alarm_every``
    texts or more on average to reach that value (Pollak, Annals of Statistics 13(1), 1985). That holds if
    the share before is not underrated; it is estimated, so what is taken for it is the upper end of its
    Wilson interval in an exponentially weighted history. A text is weighed against the history before it.
    A surge that lasts for ``half_life`` texts becomes the history of what follows.
    """

    texts: int = 0
    known: int = 0
    """Those in its history."""
    weight: float = 0.0
    squares: float = 0.0
    """The sum of the squared weights: how many texts the history is worth follows from it."""
    bad: float = 0.0
    """The weight of the bad ones."""
    recent: float = 0.0
    """The share of bad ones among the last texts."""
    evidence: float = 0.0
    surging: bool = False
    surged: int = 0
    """Texts since the surge was told."""

    def observe(self, rules: Rules, *, bad: bool) -> Event | None:
        """Take the next text; returns what it sets off."""
        self.texts += 1
        fast = 0.5 ** (1 / RECENT_TEXTS)
        self.recent = fast * self.recent + (1 - fast) * bad
        event = self._weigh(rules, bad=bad) if self.known >= rules.least else None
        # A surge is no part of the history that it is held against.
        if not self.surging:
            self._learn(rules, bad=bad)
        elif (surged := self.surged + 1) < rules.half_life:
            self.surged = surged
        else:
            self.known, self.weight, self.squares, self.bad = 0, 0.0, 0.0, 0.0
            self.evidence, self.surging, self.surged = 0.0, False, 0
            return Event.SETTLED
        return event

    @property
    def usual(self) -> float:
        """The share of bad ones in its history; among the last texts if that begins anew."""
        return self.bad / self.weight if self.weight else self.recent

    def _weigh(self, rules: Rules, *, bad: bool) -> Event | None:
        before = self._at_most()
        odds = rules.odds * before / (1 - before)
        after = odds / (1 + odds)
        likelier = after / before if bad else (1 - after) / (1 - before)
        # In a surge the same test the other way round.
        self.evidence = (1 + self.evidence) * (1 / likelier if self.surging else likelier)
        if self.evidence < (CALM_EVIDENCE if self.surging else rules.false_alarm_every):
            return None
        self.evidence, self.surging, self.surged = 0.0, not self.surging, 0
        return Event.SURGE if self.surging else Event.OVER

    def _at_most(self) -> float:
        """The upper end of the Wilson interval of the share (Wilson, JASA 22, 1927)."""
        count = self.weight**2 / self.squares
        share, z = self.usual, DEVIATIONS
        root = sqrt(share * (1 - share) / count + z * z / (4 * count * count))
        return min(LARGEST, (share + z * z / (2 * count) + z * root) / (1 + z * z / count))

    def _learn(self, rules: Rules, *, bad: bool) -> None:
        self.known += 1
        kept = 0.5 ** (1 / rules.half_life)
        self.weight = kept * self.weight + 1
        self.squares = kept * kept * self.squares + 1
        self.bad = kept * self.bad + bad
