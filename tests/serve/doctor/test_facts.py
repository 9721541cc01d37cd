"""What is read of a box: from a real one, from made-up kernels, and from files of any content."""

import tempfile
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from strop.cgroup import read_cgroup
from strop.kernel import Tree
from strop.serve.doctor.clock import judge_clock, read_clock
from strop.serve.doctor.gpu import judge_gpus, read_gpus
from strop.serve.doctor.limits import judge_limits, read_limits
from strop.serve.doctor.memory import judge_memory, read_memory
from strop.serve.doctor.processor import judge_processor, read_processor
from strop.serve.doctor.software import needed_packages, read_packages

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


def test_what_serving_needs_is_what_strop_is_installed_with() -> None:
    assert {"grpcio", "numpy", "tokenizers"} <= set(needed_packages())
    assert not {"torch", "onnxruntime"} & set(needed_packages())
    assert set(needed_packages()) <= read_packages().keys()
