"""What a container or unit may use, read from made-up kernels."""

import os
from pathlib import Path

import pytest

from strop.cgroup import Cgroup, read_cgroup
from strop.host import usable_cores
from strop.kernel import Tree, whole


def box(root: Path, files: dict[str, str]) -> Tree:
    for path, text in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return Tree(root)


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


@pytest.mark.parametrize(
    ("quota", "cores"), [("50000", 1), ("100000", 1), ("max", None), ("9900000", None)]
)
def test_a_quota_of_time_leaves_as_many_whole_cores(tmp_path: Path, quota: str, cores: int | None) -> None:
    tree = box(
        tmp_path,
        {"sys/fs/cgroup/cgroup.controllers": "cpu", "sys/fs/cgroup/cpu.max": f"{quota} 100000"},
    )
    assert usable_cores(tree) == (cores or len(os.sched_getaffinity(0)))
