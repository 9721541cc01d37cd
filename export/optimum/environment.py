"""The environment that optimum runs in. ``python -m strop.export.optimum.environment`` makes it."""

from pathlib import Path

from strop.environment import Environment

CONSTRAINTS = Path(__file__).with_name("constraints-optimum.txt")
ENVIRONMENT = Environment(
    "optimum",
    # torch alone first, as in our own: beside others pip may take another build.
    installs=(("torch",), ("optimum-onnx", "onnxruntime")),
    constraints=CONSTRAINTS.read_text(encoding="utf-8"),
)

if __name__ == "__main__":
    print(ENVIRONMENT.make())
