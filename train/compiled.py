"""Layers compiled by torch, where that is asked for."""

import os
import shutil

from torch import nn

from strop.errors import InputError

from .flops import layers_of


def compile_layers(model: nn.Module, backend: str = "inductor") -> None:
    """Have each of the encoder's layers compiled when it is first run, for texts of any length.

    Layer by layer, since they are alike: the whole model would take as many times as long. In place,
    so that no weight or module changes its name, and the embeddings, which an adversary moves by a hook
    that comes and goes, stay as they are.
    """
    for layer in layers_of(model):
        layer.compile(dynamic=True, backend=backend)


def require_compiler() -> None:
    """Raise ``InputError`` where there is no C++ compiler, which torch needs on a CPU and for CUDA."""
    names = (os.environ.get("CXX", "g++"), "clang++")
    if not any(shutil.which(name) for name in names):
        raise InputError(
            f"--compile needs a C++ compiler, and {names[0]} is not here; install it or leave it out"
        )
