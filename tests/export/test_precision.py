"""Every numeric form: near fp32, valid, small, and the same bit for bit alone and in any batch."""

import subprocess
import sys

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strop.export.bundle import softmax
from strop.export.precision import PRECISIONS

INVARIANT = ["fp32", *(name for name, precision in PRECISIONS.items() if precision.batch_invariant)]
# The largest share of fp32's bytes, and the largest change of a probability.
LIMITS = {
    "int8": (0.4, 0.1),
}


@pytest.mark.parametrize("name", PRECISIONS)
def test_a_form_is_valid_small_and_near_fp32_but_not_it(wide, random_sequences, name):
    feeds = wide.layout.feeds(random_sequences(range(5, 60), seed=99))
    fp32, found = (softmax(wide.session(form).run(feeds)) for form in ("fp32", name))
    share, change = LIMITS[name]
    assert 0 < np.abs(fp32 - found).max() < change
    assert wide.path(name).stat().st_size < share * wide.path("fp32").stat().st_size
    onnx.checker.check_model(wide.path(name))


@pytest.mark.parametrize("name", INVARIANT)
@settings(max_examples=8, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 40) | st.integers(1, 400), min_size=1, max_size=8),
    seed=st.integers(0, 2**32),
    threads=st.sampled_from([1, 2]),
)
def test_a_text_gets_the_same_answer_bit_for_bit_alone_and_in_any_batch(
    wide, random_sequences, name, lengths, seed, threads
):
    sequences, session = random_sequences(lengths, seed), wide.session(name, threads)
    alone = np.concatenate([session.run(wide.layout.feeds([ids])) for ids in sequences])
    for layout in (wide.layout, wide.layout.padded()):
        np.testing.assert_array_equal(session.run(layout.feeds(sequences)), alone)


def test_naming_the_forms_loads_neither_onnx_nor_onnxruntime():
    script = "import strop.export.config, sys; print(*{'onnx', 'onnxruntime', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
