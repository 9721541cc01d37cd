"""What this CPU's 8-bit products can hold: all of int8, or only seven bits of a weight."""

import platform
from collections.abc import Collection, Mapping

from strop.host import cpu_flags

# Both add four products of bytes straight into 32 bits.
EXACT_ON_X86 = ("avx512_vnni", "avx_vnni")


def weight_limit() -> int:
    """The largest absolute int8 weight that is exact on this machine."""
    return 64 if saturates(platform.machine(), cpu_flags()) else 127


def unfit(facts: Mapping[str, str]) -> bool:
    """Whether a variant of these ``Variant.facts`` has weights that this machine can't multiply exactly."""
    return int(facts.get("weight_limit", 0)) > weight_limit()


def saturates(machine: str, flags: Collection[str]) -> bool:
    """Whether a CPU adds pairs of products of bytes in 16 bits, where 2 × 255 × 127 has no room.

    On x86-64 without VNNI it does, whatever the width of its vectors; an ARM core doesn't. Takes
    the names that the kernel gives machine and instruction sets.
    """
    return machine == "x86_64" and not any(flag in flags for flag in EXACT_ON_X86)
