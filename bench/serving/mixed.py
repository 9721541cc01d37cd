"""Mixed lengths: what a short text waits when long ones come between."""

import itertools
from bisect import bisect_right
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

import numpy as np

from strop.export.bundle import TextEncoder

from ..load import open_loop
from ..pacing import poisson
from ..protocols import TypedWire
from ..targets.rows import Row, Target, ratios
from .setting import Setting
from .traffic import IN_FLIGHT, Calls, alternate, encode, latency_percentile, steady, unary
from .usage import Usage

SHORT = (5, 16)
LONG = (17, 256)
"""Tokens, special tokens included: lengths are uniform between the two."""
TEXTS = 256
"""Different texts of each kind."""
LONG_SHARE = 0.1
"""Share of the calls that bring a long text; they are more than half of the tokens."""
LOAD = 0.6
"""Calls offered, as a share of what a closed loop of the same mix reaches."""
ALONE, BETWEEN = "short ones alone", "long ones between"


async def mixed(setting: Setting) -> list[Row]:
    """The short texts' p99 alone and, at the same rate of short ones, with long ones between."""
    config, wire = setting.config, TypedWire(setting.served)
    short, long = build(setting, SHORT, config.seed), build(setting, LONG, config.seed + 1)
    requests = encode(wire, [*short, *long])
    order = mix(config.seed)
    with setting.server() as server:
        async with unary(server.address, wire.method, requests) as calls:
            usage = Usage(server.pid)
            setting.say("capacity of the mix")
            capacity = (await steady(replace(calls, order=order), IN_FLIGHT, config.seconds, usage)).rate
            rates = {ALONE: (1 - LONG_SHARE) * LOAD * capacity, BETWEEN: LOAD * capacity}
            orders = {ALONE: itertools.cycle(range(TEXTS)), BETWEEN: order}

            def contender(name: str) -> Callable[[], Awaitable[float]]:
                return lambda: _short_p99(setting, replace(calls, order=orders[name]), rates[name])

            found = await alternate(
                config.rounds, {name: contender(name) for name in (ALONE, BETWEEN)}, setting.say
            )
    mixture = (
        f"{LONG_SHARE:.0%} of the calls bring {LONG[0]} to {LONG[1]} tokens, the others {SHORT[0]} to"
        f" {SHORT[1]}, uniformly; {LOAD:.0%} of what the mix reaches with {IN_FLIGHT} in flight"
    )
    return [
        Row("capacity of the mix", [capacity], unit="texts/s", note=mixture),
        *(Row(f"p99, {name}", [1e3 * v for v in found[name]], unit="ms") for name in found),
        Row(
            "p99, between / alone",
            ratios(found[BETWEEN], found[ALONE]),
            Target("at most", 3.0),
            note=f"of the short ones; {mixture}; alone: the same rate of short ones",
        ),
    ]


async def _short_p99(setting: Setting, calls: Calls, rate: float) -> float:
    seconds = 2 * setting.config.seconds
    samples = await open_loop(calls.send, calls.order, poisson(rate, seconds, setting.config.seed), seconds)
    return latency_percentile(samples, 99.0, samples.request < TEXTS)


def mix(seed: int) -> "itertools.cycle[int]":
    """Numbers of texts without end: LONG_SHARE of them long, which are from TEXTS on."""
    chance = np.random.default_rng(seed)
    count = 64 * TEXTS
    numbers = chance.integers(TEXTS, size=count) + TEXTS * (chance.random(count) < LONG_SHARE)
    return itertools.cycle(numbers.tolist())


def build(setting: Setting, tokens: tuple[int, int], seed: int) -> list[str]:
    """TEXTS texts of lengths uniform between ``tokens``, cut from real ones laid end to end.

    Where the model takes fewer tokens, that is their upper bound.
    """
    least, most = tokens[0], min(tokens[1], setting.bundle.manifest.max_tokens)
    chance = np.random.default_rng(seed)
    words = [
        word for number in chance.permutation(len(setting.texts)) for word in setting.texts[number].split()
    ]
    encoder = setting.bundle.text_encoder()
    texts = []
    for wanted in chance.integers(least, max(least, most) + 1, size=TEXTS).tolist():
        start = int(chance.integers(len(words)))
        # A word is one token or more, so that many words are enough.
        taken = list(itertools.islice(itertools.cycle(words), start, start + wanted))
        texts.append(cut(taken, wanted, encoder))
    return texts


def cut(words: Sequence[str], tokens: int, encoder: TextEncoder) -> str:
    """The first of ``words``, as many as make at most ``tokens`` tokens but at least one word."""

    def length(count: int) -> int:
        (encoded,) = encoder.encode([" ".join(words[:count])])
        return len(encoded.ids) + encoded.truncated

    return " ".join(words[: max(1, bisect_right(range(1, len(words) + 1), tokens, key=length))])
