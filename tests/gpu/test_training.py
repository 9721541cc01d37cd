"""Training on a card: as good as on the CPU, in the numbers that were asked for, and quickly."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from line import TINY, write_encoder

SEEDS, EPOCHS, TEXTS = 3, 5, 768
UTILISATION = 0.40
"""Of mpnet-base, all of it trained in bf16 on texts of 128 tokens."""


@pytest.fixture(scope="session")
def learning() -> Any:
    """The module that trains a small encoder; skipped where a package that training needs is missing."""
    for package in ("transformers", "peft", "accelerate", "rich"):
        pytest.importorskip(package)
    import learning as module

    return module


@pytest.fixture(scope="session")
def repeats(rehearsal: bool) -> tuple[int, int, int]:
    """How often it is learnt, with another seed each, for how many epochs and from how many texts."""
    return (2, 1, 64) if rehearsal else (SEEDS, EPOCHS, TEXTS)


@pytest.fixture(scope="session")
def on_the_cpu(repeats: tuple[int, int, int]) -> list[float]:
    """Accuracies of the same trainings in fp32 by a process that sees no card."""
    script = Path(__file__).with_name("learning.py")
    done = subprocess.run(
        (sys.executable, str(script), "fp32", *map(str, repeats)),
        env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    found: list[float] = json.loads(done.stdout.splitlines()[-1])
    return found


@pytest.mark.parametrize("precision", ["fp32", "tf32", "bf16", "fp16"])
def test_a_card_learns_as_well_as_the_cpu(
    learning: Any,
    on_the_cpu: list[float],
    repeats: tuple[int, int, int],
    figure: Callable[..., None],
    precision: str,
) -> None:
    on_the_card = learning.accuracies(precision, *repeats)
    difference = float(np.mean(on_the_card) - np.mean(on_the_cpu))
    figure(f"accuracy in {precision} on the card", float(np.mean(on_the_card)))
    figure(f"accuracy in {precision} on the card less fp32's on the CPU", difference)
    # The standard error of the difference of two means, and one text in a hundred besides.
    noise = float(np.sqrt((np.var(on_the_card, ddof=1) + np.var(on_the_cpu, ddof=1)) / len(on_the_cpu)))
    assert abs(difference) <= 3 * noise + 0.01


@pytest.mark.parametrize(
    ("precision", "inside", "products"),
    [("bf16", "bfloat16", "high"), ("fp16", "float16", "highest"), ("tf32", "float32", "high")],
)
def test_the_numbers_that_were_asked_for_are_computed_in(
    learning: Any,
    tmp_path: Path,
    repeats: tuple[int, int, int],
    rehearsal: bool,
    precision: str,
    inside: str,
    products: str,
) -> None:
    import torch
    from transformers import TrainerCallback

    class Probe(TrainerCallback):
        """Looks into the first layer, at the switch of fp32 products, and at the optimiser."""

        def __init__(self) -> None:
            self.dtypes: set[torch.dtype] = set()
            self.products: set[str] = set()
            self.fused: set[bool] = set()
            self.weights: set[torch.dtype] = set()
            self.attention: set[str] = set()

        def on_train_begin(self, args: Any, state: Any, control: Any, model: Any = None, **_: Any) -> None:
            self.attention.add(getattr(model.config, "_attn_implementation"))  # noqa: B009 - it has no other name
            model.bert.encoder.layer[0].intermediate.dense.register_forward_hook(
                lambda module, inputs, output: self.dtypes.add(output.dtype)
            )

        def on_step_end(self, args: Any, state: Any, control: Any, **found: Any) -> None:
            self.products.add(torch.get_float32_matmul_precision())
            self.fused |= {bool(group.get("fused")) for group in found["optimizer"].param_groups}
            self.weights |= {one.dtype for one in found["model"].parameters()}

    before = torch.get_float32_matmul_precision()
    probe = Probe()
    learning.learn(tmp_path, precision, 0, callbacks=[probe], epochs=1, count=repeats[-1])
    assert getattr(torch, inside) in probe.dtypes
    assert probe.dtypes <= {getattr(torch, inside), torch.float32}  # evaluation may be in fp32
    assert rehearsal or probe.products == {products}
    assert probe.weights == {torch.float32}
    assert probe.fused == {True}
    assert probe.attention == {"sdpa"}
    assert torch.get_float32_matmul_precision() == before


@pytest.mark.usefixtures("card")
def test_tf32_rounds_fp32_products_and_full_precision_does_not() -> None:
    import torch

    from strop.train.device import fp32_products

    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip(f"{torch.cuda.get_device_name()} has no TF32")
    torch.manual_seed(0)
    first, second = (torch.randn(512, 512, device="cuda") for _ in range(2))
    exact = first.double() @ second.double()

    def error() -> float:
        return float(((first @ second).double() - exact).abs().max() / exact.abs().max())

    with fp32_products("tf32"):
        rounded = error()
    with fp32_products("fp32"):
        full = error()
    assert full < 1e-5 < rounded < 1e-2


@pytest.mark.usefixtures("card")
def test_compiled_layers_learn_as_well(
    learning: Any, on_the_cpu: list[float], tmp_path: Path, figure: Callable[..., None]
) -> None:
    pytest.importorskip("triton")
    if not any(shutil.which(name) for name in ("g++", "clang++")):
        pytest.skip("there is no C++ compiler, which torch.compile needs")
    accuracy = learning.learn(tmp_path, "bf16", 0, compile=True)
    figure("accuracy in bf16, compiled", accuracy)
    assert accuracy > min(on_the_cpu) - 0.02


@pytest.mark.parametrize(
    ("model", "compiled", "target"),
    [
        ("minilm-l6", False, None),
        ("mpnet-base", False, UTILISATION),
        ("mpnet-base", True, UTILISATION),
    ],
)
def test_the_arithmetic_of_the_card_is_used(
    learning: Any,
    tmp_path: Path,
    rehearsal: bool,
    figure: Callable[..., None],
    model: str,
    compiled: bool,
    target: float | None,
) -> None:
    if compiled:
        pytest.importorskip("triton")
    from strop.train.benchmark import Load, measure

    load = Load(model=model, precision="bf16", batch_size=128, steps=40, compile=compiled)
    if rehearsal:
        write_encoder(tmp_path, TINY)
        tiny = {"batch_size": 4, "steps": 2, "tokens": 8, "threads": 1}
        load = replace(load, model=str(tmp_path), precision="fp32", **tiny)
    speed = measure(load)
    name = f"{model}, all of it trained in bf16, 128 tokens{', compiled' if compiled else ''}"
    figure(f"{name}: tokens", speed.tokens_per_second, "tokens/s")
    figure(f"{name}: model FLOP utilisation", speed.flop_utilisation, at_least=target)
    figure("bf16 matrix product", speed.peak_flops_per_second / 1e12, "TFLOP/s")
    # Far below the target something is broken; what is merely missed stands in the results.
    assert rehearsal or 0.05 < speed.flop_utilisation < 1


@pytest.mark.usefixtures("card")
def test_the_memory_of_a_training_is_given_back(learning: Any, tmp_path: Path) -> None:
    import gc

    import torch

    learning.learn(tmp_path, "bf16", 0, epochs=1)
    gc.collect()
    torch.cuda.empty_cache()
    assert torch.cuda.memory_allocated() < 100 * 2**20
