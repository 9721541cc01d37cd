"""In which numbers a model is trained: bf16 only where the machine has instructions for it."""

import pytest
import torch

from strop.train import device
from strop.train.device import arithmetic


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ({"avx2", "fma", "f16c"}, False),
        ({"avx512f", "avx512_vnni"}, False),
        ({"avx512f", "avx512_bf16"}, True),
        ({"avx512f", "amx_bf16"}, True),
        ({"asimd", "bf16"}, True),
    ],
)
def test_auto_is_bf16_where_a_cpu_multiplies_it(
    flags: set[str], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(device, "cpu_flags", lambda: frozenset(flags))
    assert arithmetic("auto") == ("bf16" if expected else "fp32")
    assert arithmetic("bf16") == "bf16"
    assert arithmetic("fp32") == "fp32"
