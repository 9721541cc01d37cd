"""The spans of a context that may be the answer, from the logits of where it starts and where it ends."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from .task import Floats, Span

LONGEST = 30
"""Tokens of an answer at most, as usual for SQuAD."""
CANDIDATES = 20
"""Spans of a window that may be answers, likewise."""


class Found(NamedTuple):
    """A stretch of a context that may be the answer."""

    start: int
    """The first character."""
    stop: int
    """The character after the last."""
    score: float
    """Its probability."""


class Reply(NamedTuple):
    """What a model says to a question."""

    answers: tuple[Found, ...]
    """The likeliest first; none where it holds that the context has no answer."""
    null_score: float
    """The probability that it has none."""


def best_answers(
    windows: Sequence[Floats], offsets: Sequence[Sequence[Span]], count: int = 1, *, always: bool
) -> Reply:
    """The best ``count`` answers from the logits of a context's windows, each [tokens, 2].

    A span counts by the logit of its first token as start plus that of its last as end, in the window
    that likes it best; that there is no answer, by the same sum of the first token, in the window
    that likes it least. Probabilities are the softmax over the ``CANDIDATES`` best spans of every
    window and, unless the model ``always`` gives an answer, that.
    """
    best: dict[Span, float] = {}
    for window, spans in zip(windows, offsets, strict=True):
        for span, logit in _candidates(window, spans):
            best[span] = max(logit, best.get(span, logit))
    if not best:
        return Reply((), 1.0)
    none = -np.inf if always else min(float(window[0].sum()) for window in windows)
    ranked = sorted(best, key=lambda span: (-best[span], span))
    logits = np.array([none, *(best[span] for span in ranked)])
    weights = np.exp(logits - logits.max())
    null_score, *scores = (weights / weights.sum()).tolist()
    if none > logits[1]:
        return Reply((), null_score)
    likeliest = list(zip(ranked, scores, strict=True))[:count]
    return Reply(tuple(Found(*span, score) for span, score in likeliest), null_score)


def _candidates(window: Floats, offsets: Sequence[Span]) -> Iterator[tuple[Span, float]]:
    """The best spans of one window, in no order, with their logits."""
    real = [place for place, (start, stop) in enumerate(offsets) if stop > start]
    if not real:
        return
    width = min(LONGEST, len(real))
    starts, ends = window[real].T
    # Row i, column d: from token i to token i + d.
    padded = np.pad(ends, (0, width - 1), constant_values=-np.inf)
    logits = starts[:, np.newaxis] + np.lib.stride_tricks.sliding_window_view(padded, width)
    count = min(CANDIDATES, logits.size)
    for place in np.argpartition(logits, -count, axis=None)[-count:].tolist():
        first, further = divmod(place, width)
        if first + further < len(real):
            span = offsets[real[first]][0], offsets[real[first + further]][1]
            yield span, float(logits[first, further])
