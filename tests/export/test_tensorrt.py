"""TensorRT engines, really built: TensorRT-RTX's builder needs no GPU. Running them does."""

import json
import subprocess
import sys
import threading
from dataclasses import asdict, replace
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import helper

from strop.cli import main
from strop.errors import InputError, StropError
from strop.export.bundle import Bundle, bucketed
from strop.export.bundle.files import file_entry
from strop.export.config import ExportConfig
from strop.export.inspect.engines import engine_findings, misfit
from strop.export.precision.record import recorded
from strop.export.tensorrt import (
    ASKED,
    Builder,
    Card,
    EngineCache,
    EngineKey,
    Found,
    Library,
    NotAvailableError,
    Profile,
    build_ahead,
    find,
    profiles_of,
    require_target,
    target,
    unfit,
)

RTX = Library("tensorrt_rtx", "1.7.1", "13", ("8.6", "8.9"))
FULL = Library("tensorrt", "11.0.0", "13")
ADA = Card("NVIDIA L4", "8.9", "13.0")
HOPPER = Card("NVIDIA H100", "9.0", "13.0")
PROFILES = profiles_of([(1, 16), (4, 16), (1, 32), (2, 32)])

needs_builder = pytest.mark.skipif(
    find().library is None or not find().library.capabilities,
    reason=f"no TensorRT-RTX builds here: {find().no_library}",
)


def key_of(graph, **fields):
    library = find().library
    return replace(
        EngineKey(
            graph.stem,
            file_entry(graph).sha256,
            library.module,
            library.version,
            library.cuda,
            "8.9",
            PROFILES,
            sparse=False,
        ),
        **fields,
    )


def ignore(part):
    pass


@pytest.fixture
def key():
    return EngineKey("fp16", "0" * 64, "tensorrt_rtx", "1.7.1", "13", "8.9", PROFILES, sparse=False)


@given(st.lists(st.tuples(st.integers(1, 64), st.sampled_from([16, 32, 64])), min_size=1))
def test_the_profiles_take_every_shape_and_no_longer_one(shapes):
    profiles = {profile.length: profile for profile in profiles_of(shapes)}
    for rows, length in shapes:
        assert profiles[length].least_rows <= rows <= profiles[length].most_rows
    assert max(profiles) == max(length for _, length in shapes)


def test_a_profile_has_the_shapes_of_each_input():
    profile = Profile(16, 1, 4)
    assert profile.shapes(2) == ((1, 16), (4, 16), (4, 16))
    assert profile.shapes(1) == ((1,), (4,), (4,))


def test_an_engine_is_for_this_card_unless_another_is_asked_for():
    assert target(Found(RTX, "", ADA, "")) == "8.9"
    assert target(Found(RTX, "", None, "none"), "8.6") == "8.6"
    assert target(Found(FULL, "", HOPPER, "")) == "9.0"
    assert target(Found(FULL, "", HOPPER, ""), "9.0") == "9.0"


@pytest.mark.parametrize(
    ("found", "asked", "error", "message"),
    [
        (
            Found(None, "it is broken", ADA, ""),
            None,
            NotAvailableError,
            "because it is broken; pip install",
        ),
        (Found(RTX, "", None, "no driver"), None, NotAvailableError, "because no driver; install NVIDIA"),
        (
            Found(RTX, "", replace(ADA, driver_cuda="12.8"), ""),
            None,
            NotAvailableError,
            "runs CUDA 12.8 at most and .* wants more; update the driver, or .* for CUDA 12",
        ),
        (Found(RTX, "", HOPPER, ""), None, NotAvailableError, "not made for .* 9.0, only for 8.6, 8.9"),
        (Found(RTX, "", None, ""), "7.0", InputError, "--compute-capability is 7.0; .* for 8.6, 8.9"),
        (Found(FULL, "", None, ""), "8.9", InputError, "the card that is there, and here is none"),
        (Found(FULL, "", HOPPER, ""), "8.9", InputError, "builds for 9.0 here"),
    ],
)
def test_what_can_not_be_built_for_says_why(found, asked, error, message):
    with pytest.raises(error, match=message):
        target(found, asked)


def test_a_variant_that_asks_for_a_newer_card_says_so():
    assert unfit({}, "5.0") is None
    assert unfit({ASKED: "8.9"}, "8.9") is None
    assert unfit({ASKED: "8.9"}, "10.0") is None
    assert unfit({ASKED: "8.9"}, "8.6") == (
        "it asks for compute capability 8.9 or later and the card has 8.6"
    )
    with pytest.raises(InputError, match=r"compute_capability is 'new' and should be like 8.9; export"):
        unfit({ASKED: "new"}, "8.6")


def test_an_engine_is_found_again_by_its_whole_key_alone(key, tmp_path):
    cache = EngineCache(tmp_path / "engines")
    assert cache.find(key) == (None, "none was built yet")
    kept = cache.keep(key, memoryview(b"engine"), "NVIDIA L4", 1.5)
    assert cache.find(key) == (kept, "")
    assert list(cache.engines()) == [kept]
    assert kept.path.read_bytes() == b"engine"
    assert kept.card == "NVIDIA L4"
    others = {
        "variant": "fp32",
        "graph_sha256": "1" * 64,
        "library": "tensorrt",
        "version": "1.7.2",
        "cuda": "12",
        "compute_capability": "8.6",
        "profiles": PROFILES[:1],
        "sparse": True,
    }
    assert others.keys() == asdict(key).keys()
    for name, value in others.items():
        assert cache.find(replace(key, **{name: value})) == (None, "none was built yet")


def test_a_damaged_engine_is_noticed(key, tmp_path):
    cache = EngineCache(tmp_path)
    kept = cache.keep(key, memoryview(b"engine"), "", 1.5)
    kept.path.write_bytes(b"engin")
    assert "5 bytes instead of 6" in cache.find(key)[1]
    kept.path.write_bytes(b"engime")
    assert "another sha256" in cache.find(key)[1]
    kept.path.unlink()
    assert "missing" in cache.find(key)[1]
    kept.path.with_suffix(".json").write_text("{", encoding="utf-8")
    assert "can't be read" in cache.find(key)[1]
    assert not list(cache.engines())
    cache.keep(key, memoryview(b"engine"), "", 1.5)
    assert cache.find(key)[0] == kept


@needs_builder
@pytest.mark.parametrize("form", ["fp32", "fp16", "bf16", "int8-symmetric", "fp8"])
def test_every_form_for_a_gpu_becomes_an_engine_once(wide_of_64, tmp_path, form):
    wide_of_64.session(form)
    graph, cache, heard = wide_of_64.path(form), EngineCache(tmp_path), []
    built = Builder(graph, key_of(graph), cache, "a card").run(heard.append)
    assert heard == sorted(heard)
    assert 0 < heard[0] < heard[-1] <= 1
    assert built.seconds > 0
    assert cache.find(key_of(graph)) == (built, "")
    # It is there: nothing is built, and so no progress made.
    written = built.path.stat().st_mtime_ns
    Builder(graph, key_of(graph), cache).run(pytest.fail)
    assert built.path.stat().st_mtime_ns == written


@needs_builder
def test_minilm_becomes_engines_of_the_precisions_of_its_graphs(minilm, tmp_path):
    profiles = profiles_of(bucketed(minilm.layout, 32).shapes(ExportConfig(Path("run")).engine_tokens))
    assert list(map(str, profiles)) == ["1-512x16", "1-256x32"]
    minilm.session("fp32")
    size = minilm.path("fp32").stat().st_size
    for form in ("fp16", "int8-symmetric"):
        minilm.session(form)
        graph, cache = minilm.path(form), EngineCache(tmp_path)
        built = Builder(graph, key_of(graph, profiles=profiles), cache).run(ignore)
        assert cache.find(built.key) == (built, "")
        assert 0 < built.entry.bytes < 0.9 * size
        size = built.entry.bytes


@needs_builder
def test_what_the_library_refuses_is_said_in_its_words(wide_of_64, tmp_path):
    wide_of_64.session("fp8")
    graph = wide_of_64.path("fp8")
    assert recorded(graph) == {ASKED: "8.9"}  # which a server compares before it builds
    builder = Builder(graph, key_of(graph, compute_capability="8.6"), EngineCache(tmp_path))
    with pytest.raises(StropError, match="fp8_e4m3"):
        builder.run(ignore)
    graph = tmp_path / "foreign.onnx"
    x, y = (helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1, 4]) for name in "xy")
    node = helper.make_node("BiasGelu", ["x", "x"], ["y"], domain="com.microsoft")
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph([node], "g", [x], [y]), opset_imports=opsets, ir_version=10)
    onnx.save(model, graph)
    builder = Builder(graph, key_of(graph), EngineCache(tmp_path))
    with pytest.raises(StropError, match=r"can't take .*foreign.onnx: .*BiasGelu"):
        builder.run(ignore)
    assert not list(tmp_path.glob("*.engine*"))
    assert not list(tmp_path.glob("*.json"))


@needs_builder
def test_a_build_that_is_killed_leaves_nothing_and_no_other_begins(wide_of_64, tmp_path):
    wide_of_64.session("fp16")
    graph, begun = wide_of_64.path("fp16"), threading.Event()
    many = profiles_of([(rows, length) for rows in (1, 8) for length in range(8, 400, 8)])
    builder = Builder(graph, key_of(graph, profiles=many), EngineCache(tmp_path))

    def end() -> None:
        begun.wait()
        builder.kill()

    killer = threading.Thread(target=end)
    killer.start()
    with pytest.raises(StropError, match="was stopped"):
        builder.run(lambda part: begun.set())
    killer.join()
    with pytest.raises(StropError, match="before it began"):
        builder.run(ignore)
    assert not list(tmp_path.glob("*.engine*"))


@needs_builder
def test_a_builder_ends_with_the_process_that_asked(wide_of_64, tmp_path):
    wide_of_64.session("fp16")
    graph = wide_of_64.path("fp16")
    many = profiles_of([(rows, length) for rows in (1, 8) for length in range(8, 400, 8)])
    job = {
        "graph": str(graph),
        "key": asdict(key_of(graph, profiles=many)),
        "cache": str(tmp_path),
        "card": "",
    }
    command = [sys.executable, "-m", "strop.export.tensorrt"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        process.stdin.write(json.dumps(job) + "\n")
        process.stdin.flush()
        assert "progress" in json.loads(process.stdout.readline())
        process.stdin.close()
        assert process.wait(30) == 1
    assert not list(tmp_path.glob("*.engine*"))


@needs_builder
def test_a_bundle_gets_its_engines_ahead_of_time_and_inspect_lists_them(exported_bundle, tmp_path, capsys):
    bundle, cache, heard = Bundle.open(exported_bundle), EngineCache(tmp_path), {}
    (engine,), failures = build_ahead(bundle, find(), "8.9", cache, 64, heard.__setitem__)
    assert not failures
    assert heard == {"fp32": 1.0}  # nothing in it was made for a GPU
    assert engine.key.profiles == (Profile(16, 1, 4), Profile(32, 1, 2))
    again, _ = build_ahead(bundle, find(), "8.9", cache, 64, heard.__setitem__)
    assert again == [engine]
    assert main(["inspect", str(exported_bundle), "--engine-cache", str(tmp_path)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"fp32 for compute capability 8.9, tensorrt_rtx {find().library.version} for CUDA 13" in shown
    assert "rows x tokens 1-4x16, 1-2x32" in shown
    assert main(["inspect", str(exported_bundle), "--engine-cache", str(tmp_path), "--json"]) == 0
    (listed,) = json.loads(capsys.readouterr().out)["engines"]
    assert listed["engine"]["path"] == str(engine.path)
    engine.path.write_bytes(b"cut off")
    (finding,) = engine_findings(bundle, tmp_path)
    assert "7 bytes instead of" in finding.fault
    (rebuilt,), _ = build_ahead(bundle, find(), "8.9", cache, 64, heard.__setitem__)
    assert rebuilt.entry.bytes == engine.entry.bytes
    newer = replace(bundle.reference, facts={ASKED: "12.0"})
    asking = replace(
        bundle, manifest=replace(bundle.manifest, variants=(newer,), default_variant=newer.name)
    )
    engines, failures = build_ahead(asking, find(), "8.9", cache, 64, heard.__setitem__)
    assert not engines
    assert "asks for compute capability 12.0 or later" in str(failures["fp32"])


def test_an_engine_is_usable_only_by_its_library_on_its_kind_of_card(key):
    here = Found(replace(RTX, version=key.version), "", ADA, "")
    assert misfit(key, here) is None
    for other, why in (
        (replace(here, library=None, no_library="none is installed"), "none is installed"),
        (replace(here, library=FULL), "here is tensorrt 11.0.0 for CUDA 13"),
        (replace(here, card=None, no_card="no driver"), "no driver"),
        (replace(here, card=HOPPER), "the card here, NVIDIA H100, has compute capability 9.0"),
    ):
        assert misfit(key, other) == why


def test_without_a_card_the_one_that_is_to_serve_must_be_named():
    without = Found(RTX, "", None, "there is no driver")
    with pytest.raises(InputError, match=r"there is no driver; name .* --compute-capability 8.6 or 8.9"):
        require_target(without, None)
    assert require_target(without, "8.9") == "8.9"
    assert require_target(Found(RTX, "", ADA, ""), None) == "8.9"


@pytest.mark.skipif(find().card is not None, reason="there is a GPU")
@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tensorrt"], "--tensorrt builds for the card of this machine, and CUDA finds no GPU"),
        (["--tensorrt", "--compute-capability", "1.0"], "--compute-capability is 1.0"),
        (["--compute-capability", "8.9"], "--compute-capability is for --tensorrt"),
    ],
)
def test_an_export_that_could_build_no_engine_is_not_begun(tiny_run, tmp_path, capsys, options, said):
    out = tmp_path / "bundle"
    assert main(["export", str(tiny_run), "--out", str(out), *options]) == 2
    assert said in capsys.readouterr().err
    assert not out.exists()
