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
    bundles = inspect(config.bundle) if config.bundle else []
    for_tensorrt = dict(chain.from_iterable(bundle.for_tensorrt.items() for bundle in bundles))
    return list(
        chain(
            judge_processor(read_processor(tree, cgroup)),
            judge_memory(read_memory(tree, cgroup), sum(bundle.peak_bytes for bundle in bundles)),
            judge_gpus(gpus, packages),
            judge_tensorrt(read_tensorrt(packages), gpus.device, for_tensorrt),
            judge_packages(packages, needed_packages()),
            *(bundle.judge() for bundle in bundles),
            judge_clock(read_clock(tree)),
            judge_limits(read_limits(tree), config.accept_backlog),
            judge_ports(read_ports(config.address, config.metrics_address)),
        )
    )
