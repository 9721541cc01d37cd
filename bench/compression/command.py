"""``strop bench-export``: options, contenders, table."""

from .config import CompressionConfig


def bench_export(config: CompressionConfig | None = None) -> None:
    """Measure a bundle's variants against the same model in ONNX Runtime fp32 and in PyTorch.

    Everything computes the same texts on one thread, in turn. The table is printed and saved; a
    missed target ends with exit code 1.
    """
    # Not at the top: the option's help must not wait for numpy.
    from .suite import run_suite

    run_suite(config or CompressionConfig())
