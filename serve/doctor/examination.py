"""A whole box: every part's facts read, then judged."""

from itertools import chain

from strop.cgroup import read_cgroup
from strop.kernel import Tree

from .bundle import inspect
from .clock import judge_clock, read_clock
from .config import DoctorConfig
from .finding import Finding
from .gpu import judge_gpus, read_gpus
from .limits import judge_limits, read_limits
from .memory import judge_memory, read_memory
from .ports import judge_ports, read_ports
from .processor import judge_processor, read_processor
from .software import judge_packages, needed_packages, read_packages
from .tensorrt import judge_tensorrt, read_tensorrt


def examine(config: DoctorConfig, tree: Tree) -> list[Finding]:
    """All that is found of the box whose kernel tells of itself in ``tree``."""
    cgroup = read_cgroup(tree)
    packages = read_packages()
    gpus = read_gpus(tree, packages)
    bundle = inspect(config.bundle) if config.bundle else None
    return list(
        chain(
            judge_processor(read_processor(tree, cgroup)),
            judge_memory(read_memory(tree, cgroup), bundle.peak_bytes if bundle else 0),
            judge_gpus(gpus, packages),
            judge_tensorrt(read_tensorrt(packages), gpus.device, bundle.for_tensorrt if bundle else {}),
            judge_packages(packages, needed_packages()),
            bundle.judge() if bundle else (),
            judge_clock(read_clock(tree)),
            judge_limits(read_limits(tree), config.accept_backlog),
            judge_ports(read_ports(config.address, config.metrics_address)),
        )
    )
