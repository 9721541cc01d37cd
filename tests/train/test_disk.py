"""A disk that takes no more: what the libraries raise, as an error of the system's."""

import errno
import resource

import pytest
import torch
from safetensors.torch import save_file

from strop.train.disk import faults_as_os_errors


@pytest.fixture
def small_files():
    """No file may grow past 100 kB, as on a disk that is nearly full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize(("save", "code"), [(save_file, errno.EFBIG), (torch.save, errno.EIO)])
def test_weights_that_have_no_room_are_an_error_of_the_system(tmp_path, small_files, save, code):
    with pytest.raises(OSError, match="weights") as refused, faults_as_os_errors(tmp_path / "weights"):
        save({"a": torch.zeros(200_000)}, tmp_path / "weights")
    assert refused.value.errno == code


def test_other_faults_stay_what_they_are(tmp_path):
    with pytest.raises(RuntimeError, match="ours"), faults_as_os_errors(tmp_path):
        raise RuntimeError("ours")
