"""What the facts of a box mean for a server, and which fix is named."""

from dataclasses import replace
from pathlib import Path

import pytest

from strop.export.tensorrt import Card, Found, Library
from strop.serve.doctor.bundle import Inspection
from strop.serve.doctor.clock import Clock, judge_clock
from strop.serve.doctor.finding import Finding
from strop.serve.doctor.gpu import Gpu, Gpus, judge_gpus
from strop.serve.doctor.limits import Limits, Place, judge_limits
from strop.serve.doctor.memory import Memory, judge_memory
from strop.serve.doctor.ports import Port, judge_ports
from strop.serve.doctor.processor import Processor, judge_processor
from strop.serve.doctor.software import judge_packages
from strop.serve.doctor.tensorrt import judge_tensorrt

VNNI = frozenset({"avx2", "avx512f", "avx512_vnni"})
SERVER = Processor("x86_64", "a server", VNNI, 8, None, frozenset())
ROOMY = Memory(8 * 10**9, 6 * 10**9, None, 0, 0)
CARD = Gpus(True, "580.65", 13000, (Gpu("H100", (9, 0), 80 * 10**9, 79 * 10**9),), "", frozenset())
NO_CARD = Gpus(False, "", 0, (), "", frozenset())
CUDA = {"nvidia-cuda-runtime": "13.0", "nvidia-cublas": "13.0", "nvidia-cudnn-cu13": "9.12"}
LIMITS = Limits(65536, 65536, 4096, (Place("cache", Path("/c"), 10**11),))


def levels(findings: list[Finding]) -> dict[str, str]:
    return {finding.part: finding.level for finding in findings}


@pytest.mark.parametrize(
    ("machine", "flags", "level", "told"),
    [
        ("x86_64", VNNI, "ok", "AVX-512 VNNI"),
        ("x86_64", {"avx2", "avx_vnni", "amx_int8"}, "ok", "AMX"),
        ("x86_64", {"avx2"}, "warn", "no VNNI"),
        ("x86_64", {"sse4_2"}, "warn", "no vector"),
        ("x86_64", {}, "warn", "no vector"),
        ("aarch64", {"asimd", "asimddp", "i8mm"}, "ok", "int8 matrices"),
        ("aarch64", {"asimd"}, "warn", "NEON"),
    ],
)
def test_a_processor_is_judged_by_how_it_multiplies_bytes(
    machine: str, flags: set[str], level: str, told: str
) -> None:
    found, _ = judge_processor(replace(SERVER, machine=machine, flags=frozenset(flags)))
    assert found.level == level
    assert told in found.found


@pytest.mark.parametrize(("quota", "cores"), [(2.5, 2), (0.5, 1)])
def test_a_quota_below_the_cores_says_how_many_of_its_own_it_stands_for(quota: float, cores: int) -> None:
    _, found = judge_processor(replace(SERVER, quota=quota))
    assert found.level == "warn"
    assert f"give it {cores} of its own" in found.fix
    _, enough = judge_processor(replace(SERVER, quota=8.0))
    assert enough.level == "ok"


def test_a_frugal_governor_is_told() -> None:
    *_, governor = judge_processor(replace(SERVER, governors=frozenset({"powersave", "performance"})))
    assert governor.level == "warn"
    assert "powersave:" in governor.found


def test_a_model_must_fit_into_the_memory_of_box_and_control_group() -> None:
    assert levels(list(judge_memory(ROOMY, 5 * 10**9))) == {"memory": "ok", "swap": "ok"}
    assert levels(list(judge_memory(ROOMY, 6 * 10**9)))["memory"] == "fail"
    limited, _ = judge_memory(replace(ROOMY, limit=10**9, free=10**8), 0)
    assert (limited.level, limited.found) == ("fail", "100 MB free of 1.0 GB, by its control group")


def test_swap_matters_once_it_is_used() -> None:
    assert levels(list(judge_memory(replace(ROOMY, swap_total=10, swap_free=10), 0)))["swap"] == "ok"
    assert levels(list(judge_memory(replace(ROOMY, swap_total=10, swap_free=9), 0)))["swap"] == "warn"


def test_a_card_needs_its_driver_its_libraries_and_the_right_build() -> None:
    gpu_build = {"onnxruntime-gpu": "1.31.1"} | CUDA
    assert set(levels(list(judge_gpus(CARD, gpu_build))).values()) == {"ok"}
    assert levels(list(judge_gpus(CARD, {"onnxruntime": "1"})))["GPU build"] == "warn"
    assert levels(list(judge_gpus(CARD, {"onnxruntime-gpu": "1"})))["cuDNN 9"] == "fail"
    assert levels(list(judge_gpus(replace(CARD, cuda=12080), gpu_build)))["driver"] == "fail"
    found = replace(CARD, libraries=frozenset({"libcudnn.so.9"}))
    assert levels(list(judge_gpus(found, {"onnxruntime-gpu": "1"})))["cuDNN 9"] == "ok"
    silent = Gpus(True, "", 0, (), "Driver Not Loaded", frozenset())
    assert levels(list(judge_gpus(silent, gpu_build)))["GPU"] == "warn"


def test_a_build_for_a_card_that_is_not_there_falls_back_and_is_told() -> None:
    assert levels(list(judge_gpus(NO_CARD, {"onnxruntime-gpu": "1"}))) == {"GPU": "warn"}
    assert levels(list(judge_gpus(NO_CARD, {"onnxruntime": "1"}))) == {"GPU": "ok"}


def test_tensorrt_goes_with_card_driver_and_the_variants_made_for_it() -> None:
    rtx = Library("tensorrt_rtx", "1.7.1", "13", ("8.6", "8.9"))
    card = Card("a card", "8.6", "13.0")
    both = Found(rtx, "", card, "")
    assert not list(judge_tensorrt(None, True, {}))
    (lacking,) = judge_tensorrt(None, True, {"fp8": {}})
    assert "strop[tensorrt]" in lacking.fix
    assert levels(list(judge_tensorrt(both, True, {"int8-symmetric": {}}))) == {"TensorRT": "ok"}
    assert levels(list(judge_tensorrt(replace(both, card=None), False, {}))) == {"TensorRT": "ok"}
    _, variant = judge_tensorrt(both, True, {"fp8": {"compute_capability": "8.9"}})
    assert "variant fp8 can't be served: it asks for compute capability 8.9" in variant.found
    _, odd = judge_tensorrt(both, True, {"fp8": {"compute_capability": "?"}})
    assert "should be like 8.9" in odd.found
    for wrong, fix in (
        (replace(both, card=replace(card, driver_cuda="12.4")), "update the driver"),
        (replace(both, card=replace(card, compute_capability="9.0")), "install TensorRT 10 or 11"),
        (replace(both, card=None, no_card="no driver"), "install NVIDIA's driver"),
        (Found(None, "it is broken", card, ""), "pip install 'strop[tensorrt]'"),
    ):
        (finding,) = judge_tensorrt(wrong, True, {})
        assert finding.level == "warn"
        assert finding.fix.startswith(fix)


def test_an_environment_has_what_serves_once() -> None:
    both = {"onnxruntime": "1", "onnxruntime-gpu": "1", "grpcio": "1"}
    assert levels(list(judge_packages(both, ("grpcio",)))) == {"packages": "ok", "ONNX Runtime": "fail"}
    assert levels(list(judge_packages({"onnxruntime": "1"}, ("grpcio",)))) == {"packages": "fail"}
    assert levels(list(judge_packages({}, ()))) == {"packages": "ok", "ONNX Runtime": "fail"}


def test_a_clock_is_cheap_to_read_and_right() -> None:
    assert levels(list(judge_clock(Clock("tsc", True)))) == {"clock source": "ok", "clock": "ok"}
    assert levels(list(judge_clock(Clock("hpet", False)))) == {"clock source": "warn", "clock": "warn"}
    assert list(judge_clock(Clock("", None))) == []


@pytest.mark.parametrize(("files", "level"), [(64, "fail"), (1024, "warn"), (65536, "ok"), (-1, "ok")])
def test_each_connection_takes_an_open_file(files: int, level: str) -> None:
    assert levels(list(judge_limits(replace(LIMITS, open_files=files), 1000)))["open files"] == level


def test_the_kernel_must_let_as_many_wait_as_the_server_does() -> None:
    *_, few, _ = judge_limits(replace(LIMITS, backlog=128), 1000)
    assert few.level == "warn"
    assert "net.core.somaxconn=1000" in few.fix
    assert "connections" not in levels(list(judge_limits(replace(LIMITS, backlog=None), 1000)))


@pytest.mark.parametrize(("free", "level"), [(None, "warn"), (10**6, "warn"), (10**10, "ok")])
def test_room_on_disk_is_told(free: int | None, level: str) -> None:
    places = (Place("cache", Path("/c"), free),)
    assert levels(list(judge_limits(replace(LIMITS, places=places), 1)))["cache"] == level


def test_a_taken_port_is_a_fault_unless_we_took_it() -> None:
    fault = "--address 127.0.0.1:8001: address already in use; stop what listens there"
    (taken,) = judge_ports((Port("--address", "127.0.0.1:8001", fault, None),))
    assert (taken.level, taken.fix) == ("fail", "stop what listens there")
    (ours,) = judge_ports((Port("--address", "127.0.0.1:8001", fault, "SERVING"),))
    assert ours.level == "ok"


def test_only_the_variant_that_is_served_must_run_here() -> None:
    golden = [{"variant": name, "fault": f"{name} was made for a CPU; export here"} for name in ("a", "b")]
    manifest = {"default_variant": "a", "variants": [{"name": "a", "peak_bytes": 7}]}
    inspection = Inspection("", {"manifest": manifest, "findings": {"files": {}, "golden": golden}}, "")
    assert [finding.level for finding in inspection.judge()] == ["fail", "warn"]
    assert inspection.peak_bytes == 7
    (whole,) = Inspection("", {}, "x is not a bundle; run strop export").judge()
    assert (whole.level, whole.fix) == ("fail", "run strop export")


def test_of_several_models_each_variant_is_told_with_its_own() -> None:
    variants = [{"name": "fp8", "facts": {}, "provider": "TensorrtExecutionProvider"}]
    told = {"manifest": {"variants": variants}}
    assert Inspection("films 2", told, "").for_tensorrt == {"fp8 of films 2": {}}
    assert Inspection("", told, "").for_tensorrt == {"fp8": {}}
