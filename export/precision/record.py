"""What a form decided, kept in its graph, where report and server can read it."""

from pathlib import Path

import onnx

PREFIX = "strop."


def record(model: onnx.ModelProto, **facts: str) -> None:
    """Add facts to the graph's metadata, in the place of older ones of the same name."""
    there = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, there | {PREFIX + name: value for name, value in facts.items()})


def recorded(graph: Path) -> dict[str, str]:
    """Read what ``record`` added, by name."""
    entries = onnx.load(graph).metadata_props
    return {e.key.removeprefix(PREFIX): e.value for e in entries if e.key.startswith(PREFIX)}
