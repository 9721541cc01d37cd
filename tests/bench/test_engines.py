"""``strop bench-engines`` on a real bundle and its run, and the operations that its shares count by."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from strop.bench.engines.contenders import Contender, engines
from strop.bench.engines.flops import ModelSize
from strop.cli import main
from strop.errors import StropError
from strop.export.bundle import Bundle


def test_every_engine_is_measured_beside_padded_pytorch_and_the_peaks(
    exported_bundle: Path, tiny_run: Path, tmp_path: Path
) -> None:
    sizes = ("--batch-tokens", "32", "64", "--batch-texts", "4", "--texts", "40")
    rounds = ("--rounds", "2", "--seconds", "0.01", "--out", str(tmp_path))
    code = main(["bench-engines", str(exported_bundle), "--run", str(tiny_run), *sizes, *rounds])
    (page,) = tmp_path.glob("*.json")
    report = json.loads(page.read_text())
    assert report["failures"] == {}
    rows = {row["name"]: row for row in report["parts"]["mood"]}
    assert {f"matrix peak, {name}" for name in ("fp32", "fp16", "bf16")} < rows.keys()
    for name in ("PyTorch eager, padded", "fp32 on cpu", "int8 on cpu"):
        assert len(rows[name]["values"]) == 2
        assert rows[f"{name}: p50 of a batch"]["figure"] <= rows[f"{name}: p99 of a batch"]["figure"]
    best = max(("fp32 on cpu", "int8 on cpu"), key=lambda name: rows[name]["figure"])
    targeted = [row["name"] for row in rows.values() if row["target"]]
    assert targeted == [f"{best}: over PyTorch eager, padded"]
    assert code == (1 if report["missed"] else 0)


def test_what_no_engine_here_runs_is_told_with_the_reason(exported_bundle: Path) -> None:
    bundle = Bundle.open(exported_bundle)
    variants = (bundle.reference, replace(bundle.variant("int8"), provider="NoSuchExecutionProvider"))
    altered = Bundle(bundle.root, replace(bundle.manifest, variants=variants))
    found = dict(engines(altered, (), {"cpu": [np.array([2, 3])]}, threads=1))
    assert isinstance(found["fp32 on cpu"], Contender)
    assert isinstance(found["int8"], StropError)
    assert "made for NoSuchExecutionProvider, which is no --provider" in str(found["int8"])


def test_the_operations_are_those_that_torch_counts(tiny_encoder: Path) -> None:
    import torch
    from torch.utils.flop_counter import FlopCounterMode
    from transformers import AutoModel

    model = AutoModel.from_pretrained(
        tiny_encoder, attn_implementation="eager", add_pooling_layer=False
    ).eval()
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(torch.arange(4, 16)[None])
    assert ModelSize.of(model).flops([12]) == counter.get_total_flops()
    assert ModelSize.of(model).flops([12, 12]) == 2 * counter.get_total_flops()
