"""How long a batch will take: learned from the batches before it."""

from collections.abc import Iterable

MEMORY = 0.99
"""The weight that a batch keeps when the next one comes: about the last hundred count."""
ON_TIME = 0.95
"""The part of the batches that the margin covers."""
MARGIN_STEP = 0.1
"""How far one batch moves the margin, as a part of what it was to take."""


class Forecast:
    """Seconds for a batch of so many tokens, as a straight line through what was measured.

    The line is an exponentially weighted least squares fit; its slope and its value at 0 tokens
    are never negative, so that more tokens never seem to take less time. The margin on top of it is
    tracked as a quantile by stochastic approximation (Robbins and Monro, 1951): a batch that came
    later than forecast and margin raises it, any other lowers it, in the ratio that keeps
    ``ON_TIME`` of them within it.
    """

    def __init__(self, engines: int, measured: Iterable[tuple[int, float]]) -> None:
        """``measured``: (tokens, seconds) of at least one batch, each of at least one token."""
        self.margin = 0.0
        """Seconds by which a batch may come later than ``seconds`` says."""
        self.engines = engines
        """Batches that are computed at the same time."""
        self._weight = self._tokens = self._seconds = self._square = self._product = 0.0
        self._base = self._slope = 0.0
        for tokens, seconds in measured:
            self.learn(tokens, seconds)

    def seconds(self, tokens: int) -> float:
        """Seconds from a batch's forming to its result."""
        return self._base + self._slope * tokens

    def rate(self, tokens: int) -> float:
        """Tokens a second, all engines together, in batches of so many tokens."""
        return self.engines * tokens / max(self.seconds(tokens), 1e-9)

    def learn(self, tokens: int, seconds: float) -> None:
        """Take in that a batch of ``tokens`` took ``seconds``."""
        self._weight = MEMORY * self._weight + 1
        self._tokens = MEMORY * self._tokens + tokens
        self._seconds = MEMORY * self._seconds + seconds
        self._square = MEMORY * self._square + tokens * tokens
        self._product = MEMORY * self._product + tokens * seconds
        mean_tokens, mean_seconds = self._tokens / self._weight, self._seconds / self._weight
        variance = self._square / self._weight - mean_tokens**2
        covariance = self._product / self._weight - mean_tokens * mean_seconds
        proportional = mean_seconds / mean_tokens
        # Batches all of one size say nothing of the slope: then time is taken as proportional.
        steep = covariance / variance if variance > 1e-6 * mean_tokens**2 else proportional
        self._slope = min(max(steep, 0.0), proportional)
        self._base = mean_seconds - self._slope * mean_tokens

    def came(self, tokens: int, seconds: float) -> None:
        """Take in that the answers of a batch of ``tokens`` were out ``seconds`` after its forming."""
        expected = self.seconds(tokens)
        late = seconds > expected + self.margin
        self.margin = max(0.0, self.margin + MARGIN_STEP * expected * (late - (1 - ON_TIME)))
