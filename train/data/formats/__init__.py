"""One module a file format: each reads its rows in order, one after the other."""

from collections.abc import Mapping

# A place such as "line 3", and what stands there by column.
Row = tuple[str, Mapping[str, object]]
