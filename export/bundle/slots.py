"""How sequences share rows of attention slots: as few rows as fit, and no answer that depends on it."""

from collections.abc import Sequence

# Slots. ONNX Runtime sums a product in blocks of so many or of a multiple; a text that is cut by
# their edges at another place than when it is alone gets another answer.
BLOCK = 128


def fill_rows(sizes: Sequence[int]) -> tuple[int, int, list[int]]:
    """Width and number of rows that hold all sizes, and the flat slot where each begins.

    First fit, the longest first. A size begins a row or lies within one block.
    """
    width = max(sizes)
    ends: list[int] = []
    begins = [0] * len(sizes)
    for number in sorted(range(len(sizes)), key=lambda number: -sizes[number]):
        size = sizes[number]
        shared = enumerate(ends) if size <= BLOCK else ()
        found = ((row, _begin(end, size)) for row, end in shared)
        row, begin = next((fit for fit in found if fit[1] + size <= width), (len(ends), 0))
        if row == len(ends):
            ends.append(0)
        ends[row] = begin + size
        begins[number] = row * width + begin
    return width, len(ends), begins


def _begin(end: int, size: int) -> int:
    """The first slot, past those of a row that is filled up to ``end``, where the size may begin."""
    fits = end // BLOCK == (end + size - 1) // BLOCK
    return end if fits else -(-end // BLOCK) * BLOCK
