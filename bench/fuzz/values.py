"""JSON changed value by value, so that what comes out still parses."""

import copy
import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, 1, -1, 7, 2**31, 2**63, 2**64, 10**400, 0.5, -0.0, 1e308, 1e999, float("nan")),
    *("", "x", "0", "..", "../../etc/passwd", "/etc/passwd", "variants/fp32/model.onnx", "a\\b", "a\0b"),
    *("\ud800", "\x1b[2J", "\u202e", "e\u0301", "a" * 300, [], {}, [[]], {"": None}, [1, "a"]),
)
MOST_CHANGES = 3
DEEP = 3000


def mutate_json(text: bytes, chance: random.Random) -> bytes:
    """One to ``MOST_CHANGES`` values replaced, doubled or dropped; ``ValueError`` if it is no JSON."""
    document = json.loads(text)
    for _ in range(chance.randint(1, MOST_CHANGES)):
        document = _changed(document, chance)
    written = json.dumps(document, ensure_ascii=chance.random() < 0.8)
    if chance.random() < 0.02:
        written = written.replace("0", "[" * DEEP + "]" * DEEP, 1)
    return written.encode(errors="surrogatepass")


def _changed(value: Any, chance: random.Random) -> Any:
    """A copy of ``value`` with one value in it that is another."""
    keys = (
        list(value)
        if isinstance(value, dict)
        else list(range(len(value)))
        if isinstance(value, list)
        else []
    )
    if not keys or chance.random() < 0.1:
        return copy.deepcopy(chance.choice(ODD))
    key, action = chance.choice(keys), chance.random()
    if action < 0.1:
        del value[key]
    elif action < 0.2:
        other = chance.choice(keys)
        value[key] = copy.deepcopy(value[other])
    elif action < 0.3 and isinstance(value, dict):
        value[str(chance.choice(ODD))] = copy.deepcopy(value[key])
    elif action < 0.3:
        value += [copy.deepcopy(value[key])] * chance.choice((1, 2, 50))
    else:
        value[key] = _changed(value[key], chance)
    return value
