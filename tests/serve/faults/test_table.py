"""The table of faults names tests that are there."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[3]


def test_every_test_that_the_table_names_is_there() -> None:
    table = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", table)
    rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| fault")]
    assert all("::" in row for row in rows)
    for file, test in named:
        module = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert test in {node.name for node in module.body if isinstance(node, ast.FunctionDef)}, (
            f"{file}::{test}"
        )


def test_every_test_of_a_fault_is_in_the_table() -> None:
    table = (ROOT / "docs/faults.md").read_text(encoding="utf-8")
    files = {path.name for path in Path(__file__).parent.glob("test_*.py")} - {Path(__file__).name}
    assert files <= {Path(file).name for file, _ in re.findall(r"`([\w/]+\.py)::(\w+)`", table)}
