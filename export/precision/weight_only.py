"""Weights in 8 or 4 bits, a scale for each block of them: small files, and little is lost.

The activations are fp32 between layers. A product rounds each token's to 8 bits, block by block: ONNX
Runtime's fp32 products with such weights sum in another order for a lone token, its 8-bit ones don't.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import onnx

from .calibration import Calibration
from .embeddings import quantise_embeddings
from .surgery import load_untied


@contextmanager
def _logging_left_alone() -> Iterator[None]:
    """Keep a module from setting up the process's logging when it is imported."""
    root, handler = logging.getLogger(), logging.NullHandler()
    root.addHandler(handler)
    try:
        yield
    finally:
        root.removeHandler(handler)


with _logging_left_alone():
    from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer

# Weights of an output channel that share a 32-bit scale. Larger blocks lost batch-invariance.
BLOCK = 32
# The operator's name for products of 8-bit numbers.
INT8_PRODUCTS = 4


def _write(source: Path, target: Path, calibration: Calibration, *, bits: int) -> None:
    """Write the form of the fp32 graph ``source`` to ``target``; the calibration texts aren't read."""
    quantiser = MatMulNBitsQuantizer(
        load_untied(source),
        bits=bits,
        block_size=BLOCK,
        is_symmetric=True,
        accuracy_level=INT8_PRODUCTS,
        op_types_to_quantize=("MatMul",),
    )
    quantiser.process()
    model = quantiser.model.model
    quantise_embeddings(model.graph)
    onnx.save(model, target)


write_w8 = partial(_write, bits=8)
write_w4 = partial(_write, bits=4)
