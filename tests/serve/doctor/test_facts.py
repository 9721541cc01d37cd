"""What is read of a box: from a real one, from made-up kernels, and from files of any content."""

import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strop.serve.doctor.cgroup import Cgroup, read_cgroup
from strop.serve.doctor.clock import judge_clock, read_clock
from strop.serve.doctor.gpu import judge_gpus, read_gpus
from strop.serve.doctor.limits import judge_limits, read_limits
from strop.serve.doctor.memory import judge_memory, read_memory
from strop.serve.doctor.processor import judge_processor, read_processor
from strop.serve.doctor.software import needed_packages, read_packages
from strop.serve.doctor.tree import Tree, whole

READ = (
    *("proc/cpuinfo", "proc/meminfo", "proc/self/cgroup", "proc/sys/net/core/somaxconn"),
    "sys/devices/system/cpu/cpu0/cpufreq/scaling_governor",
    "sys/devices/system/clocksource/clocksource0/current_clocksource",
    *("sys/fs/cgroup/cgroup.controllers", "sys/fs/cgroup/cpu.max", "sys/fs/cgroup/memory.max"),
    *("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "sys/fs/cgroup/cpu/cpu.cfs_period_us"),
    *("sys/fs/cgroup/memory/memory.limit_in_bytes", "sys/fs/cgroup/memory.current"),
)
TELLING = (
    *("max 100000", "150000 100000", "-1", "0", "0::/a/../b", "MemAvailable: 12 kB", "flags : avx2"),
    *("1:cpu,memory:/x", "SwapTotal: 5 kB\nSwapFree: -2 kB", "٣", "9" * 400, "hpet", "::", ":"),
)


def box(root: Path, files: dict[str, str]) -> Tree:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Tree(root)


@given(
    st.dictionaries(
        st.sampled_from(READ), st.one_of(st.sampled_from(TELLING).map(str.encode), st.binary(max_size=64))
    )
)
def test_whatever_the_kernel_tells_a_box_is_judged(files: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for path, content in files.items():
            file = Path(folder, path)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        tree = Tree(Path(folder))
        cgroup = read_cgroup(tree)
        parts = (
            judge_processor(read_processor(tree, cgroup)),
            judge_memory(read_memory(tree, cgroup), 0),
            judge_gpus(read_gpus(tree, {}), {}),
            judge_clock(read_clock(tree)),
            judge_limits(read_limits(tree), 1000),
        )
        for finding in (finding for part in parts for finding in part):
            assert (finding.level == "ok") == (not finding.fix)


def test_a_file_that_cannot_be_read_is_an_empty_one(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    tree = Tree(tmp_path)
    assert tree.text("folder") == tree.text("missing") == tree.text("a\0b") == ""
    assert list(tree.matching("missing/*")) == []


@pytest.mark.parametrize(
    ("text", "number"), [("24680 kB", 24680), ("max", None), ("", None), ("-1", None), ("²", None)]
)
def test_a_number_is_what_a_text_begins_with(text: str, number: int | None) -> None:
    assert whole(text) == number


def test_the_tightest_limit_of_a_group_and_those_above_it_holds(tmp_path: Path) -> None:
    tree = box(
        tmp_path,
        {
            "proc/self/cgroup": "0::/pod/box\n",
            "sys/fs/cgroup/cgroup.controllers": "cpu memory\n",
            "sys/fs/cgroup/pod/cpu.max": "150000 100000\n",
            "sys/fs/cgroup/pod/memory.max": "2000000000\n",
            "sys/fs/cgroup/pod/memory.current": "700000000\n",
            "sys/fs/cgroup/pod/box/cpu.max": "max 100000\n",
            "sys/fs/cgroup/pod/box/memory.max": "max\n",
        },
    )
    assert read_cgroup(tree) == Cgroup(1.5, 2_000_000_000, 700_000_000)


def test_version_1_of_control_groups_is_read_too(tmp_path: Path) -> None:
    tree = box(
        tmp_path,
        {
            "proc/self/cgroup": "4:memory:/docker/7\n2:cpu,cpuacct:/docker/7\n0::/\n",
            "sys/fs/cgroup/cpu/docker/7/cpu.cfs_quota_us": "50000\n",
            "sys/fs/cgroup/cpu/docker/7/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/cpu/cpu.cfs_quota_us": "-1\n",
            "sys/fs/cgroup/cpu/cpu.cfs_period_us": "100000\n",
            "sys/fs/cgroup/memory/memory.limit_in_bytes": "9223372036854771712\n",
        },
    )
    assert read_cgroup(tree) == Cgroup(0.5, None, None)


def test_what_serving_needs_is_what_strop_is_installed_with() -> None:
    assert {"grpcio", "numpy", "tokenizers"} <= set(needed_packages())
    assert not {"torch", "onnxruntime"} & set(needed_packages())
    assert set(needed_packages()) <= read_packages().keys()
