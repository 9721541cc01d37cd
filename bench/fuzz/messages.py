"""Protobuf messages changed field by field, so that what comes out still parses."""

import random
from collections.abc import Callable, Sequence
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

EDGES = (0, 1, -1, 2, 3, 7, 8, 255, 2**31 - 1, -(2**31), 2**32 - 1, 2**32, 2**63 - 1, -(2**63), 2**64 - 1)
FLOATS = (0.0, -0.0, 1.0, -1.0, 0.5, 1e308, 5e-324, float("inf"), float("-inf"), float("nan"))
MOST_CHANGES = 4
BITS = {
    FieldDescriptor.CPPTYPE_INT32: (32, True),
    FieldDescriptor.CPPTYPE_INT64: (64, True),
    FieldDescriptor.CPPTYPE_UINT32: (32, False),
    FieldDescriptor.CPPTYPE_UINT64: (64, False),
    FieldDescriptor.CPPTYPE_ENUM: (32, True),
}

Bytes = Callable[[bytes], bytes]
"""Changes some bytes."""


class Mutator:
    """Changes a few fields of a message, whichever they are."""

    def __init__(self, chance: random.Random, words: Sequence[str], change: Bytes) -> None:
        """Texts are often one of ``words``; ``change`` is for the bytes of one that isn't."""
        self._chance = chance
        self._words = words
        self._change = change

    def mutate(self, message: Message) -> None:
        """Change one to ``MOST_CHANGES`` fields in place."""
        for _ in range(self._chance.randint(1, MOST_CHANGES)):
            self._change_one(message)

    def _change_one(self, message: Message) -> None:
        fields = message.DESCRIPTOR.fields
        if not fields:
            return
        field = self._chance.choice(fields)
        if field.is_repeated:
            if field.message_type is not None and field.message_type.GetOptions().map_entry:
                self._change_map(message, field)
            else:
                self._change_list(message, field)
        elif field.message_type is not None:
            if self._chance.random() < 0.2:
                message.ClearField(field.name)
            else:
                self._change_one(getattr(message, field.name))
        else:
            setattr(message, field.name, self._value(field, getattr(message, field.name)))

    def _change_list(self, message: Message, field: FieldDescriptor) -> None:
        held = getattr(message, field.name)
        action = self._chance.random()
        if held and action < 0.15:
            del held[self._chance.randrange(len(held))]
        elif held and action < 0.25:
            held.extend([held[self._chance.randrange(len(held))]] * self._chance.choice((1, 1, 2, 40)))
        elif field.message_type is not None:
            self._change_one(self._chance.choice(held) if held and action < 0.8 else held.add())
        elif held and action < 0.8:
            place = self._chance.randrange(len(held))
            held[place] = self._value(field, held[place])
        else:
            held.append(self._value(field, field.default_value or None))

    def _change_map(self, message: Message, field: FieldDescriptor) -> None:
        held = getattr(message, field.name)
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        name = self._value(key, self._chance.choice(list(held)) if held else None)
        if name in held and self._chance.random() < 0.3:
            del held[name]
        elif value.message_type is not None:
            self._change_one(held[name])
        else:
            held[name] = self._value(value, None)

    def _value(self, field: FieldDescriptor, old: Any) -> Any:
        kind = field.cpp_type
        if kind == FieldDescriptor.CPPTYPE_BOOL:
            return self._chance.random() < 0.5
        if kind in (FieldDescriptor.CPPTYPE_FLOAT, FieldDescriptor.CPPTYPE_DOUBLE):
            return self._chance.choice(FLOATS)
        if kind == FieldDescriptor.CPPTYPE_STRING:
            return self._text(field, old)
        return self._integer(*BITS[kind], old or 0)

    def _integer(self, bits: int, signed: bool, old: int) -> int:
        near = old + self._chance.randint(-3, 3)
        value: int = self._chance.choice((near, self._chance.choice(EDGES), self._chance.getrandbits(bits)))
        value &= 2**bits - 1
        return value - 2**bits if signed and value >> (bits - 1) else value

    def _text(self, field: FieldDescriptor, old: Any) -> Any:
        is_bytes = field.type == FieldDescriptor.TYPE_BYTES
        if self._chance.random() < 0.5:
            word = self._chance.choice(self._words)
            return word.encode() if is_bytes else word
        before = old if isinstance(old, bytes) else (old or "").encode()
        changed = self._change(before)
        return changed if is_bytes else changed.decode(errors="replace")
