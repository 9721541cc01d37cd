"""The command line, from outside: help, options from TOML, one-line errors, exit codes."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture
def strop(tmp_path):
    """Run ``strop`` in an empty folder; gives the finished process."""

    def run(*arguments):
        return subprocess.run(
            [sys.executable, "-m", "strop", *map(str, arguments)],
            capture_output=True,
            text=True,
            cwd=tmp_path,
            timeout=60,
        )

    return run


def one_line(done, code):
    """The single line of an error."""
    assert done.returncode == code, done.stderr
    (line,) = done.stderr.splitlines()
    return line


@pytest.mark.parametrize(
    "command",
    [
        *(
            "",
            "data",
            "train",
            "merge",
            "export",
            "inspect",
            "sign",
            "serve",
            "query",
            "bench",
            "tune",
            "cost",
            "health",
            "models",
            "doctor",
        ),
        *(
            "data split",
            "data check",
            "data redact",
            "bench compare",
            "bench gate",
            "bench-serve",
            "bench-rivals",
            "demo",
        ),
    ],
)
def test_every_command_has_help(strop, command):
    done = strop(*command.split(), "--help")
    assert done.returncode == 0
    assert "Usage: strop" in done.stdout


@pytest.mark.parametrize("command", ["train", "data check"])
def test_help_names_every_format_that_data_comes_in(strop, command):
    shown = " ".join(strop(*command.split(), "--help").stdout.replace("│", "").split())
    assert (
        "JSONL, CSV, TSV, Parquet, CoNLL columns, SQuAD JSON, each but Parquet also .gz, or what" in shown
    )


def test_an_unknown_command_suggests_the_nearest(strop):
    assert 'Did you mean "train"?' in one_line(strop("trian"), 2)


def test_an_unknown_flag_suggests_the_nearest(strop):
    assert "Did you mean --gate" in one_line(strop("export", "run", "--gat", 1), 2)


def test_an_unknown_recipe_is_answered_with_those_there_are(strop):
    line = one_line(strop("export", "run", "--recipes", "int7"), 2)
    assert "int7" in line
    assert "int8-dynamic" in line


def test_several_recipes_follow_one_flag(strop):
    assert "nowhere" in one_line(strop("export", "nowhere", "--recipes", "int8", "int8-dynamic", "w8"), 2)


def test_a_missing_argument_is_named(strop):
    assert "strop export needs --run; strop export --help" in one_line(strop("export"), 2)


def test_a_word_too_many_is_named(strop):
    assert "strop serve has no place for 'more'; strop serve --help" in one_line(
        strop("serve", "bundle", "more"), 2
    )


def test_options_come_from_toml_and_flags_win(strop, tmp_path):
    (tmp_path / "strop.toml").write_text('[export]\nrun = "nowhere"\ngate = 7.0\n')
    assert "--gate is 7.0" in one_line(strop("export", "--config", "strop.toml"), 2)
    done = strop("export", "--config", "strop.toml", "--gate", 0.9)
    assert "nowhere" in one_line(done, 2)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[export]\ncalibration_text = 5\n", "Did you mean --calibration-texts?"),
        ("[exprot]\ngate = 1.0\n", "unknown section [exprot]; did you mean [export]?"),
        ("[export\n", "can't be read"),
    ],
)
def test_a_mistake_in_the_toml_is_named_with_its_file(strop, tmp_path, text, message):
    (tmp_path / "strop.toml").write_text(text)
    line = one_line(strop("export", "run", "--config", "strop.toml"), 2)
    assert message in line
    assert "strop.toml" in line


def test_a_missing_toml_is_named(strop):
    line = one_line(strop("export", "run", "--config", "none.toml"), 2)
    assert "--config none.toml can't be read: No such file or directory; name a TOML file" in line


def test_a_missing_package_is_named_with_what_to_install():
    script = """
import sys
sys.modules["onnxruntime"] = None
from strop.cli import main
sys.exit(main(["serve", "bundle"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "'onnxruntime' is not installed; pip install" in one_line(done, 1)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("export nowhere", "nowhere is not a run"),
        ("export RUN --data DATA", "--data is for a peft folder, and RUN is a run"),
        ("export RUN --adapters nowhere", "nowhere is not an adapter"),
        ("export RUN --unlabelled OTHER", "OTHER line 1 has no column 'text'; it has: words"),
        ("train DATA --out new --from nowhere", "nowhere is not a run"),
        ("train DATA --out new --from RUN --task regression", "--from RUN was trained for"),
        ("train DATA --out new --task sentence-embedding --from RUN", "--from RUN was trained for"),
        ("train DATA --out new --model M --teacher nowhere --unlabelled OTHER", "nowhere is not a run"),
        (
            "train DATA --out new --model M --teacher RUN --unlabelled OTHER",
            "OTHER line 1 has no column 'text'; it has: words",
        ),
    ],
)
def test_what_a_file_shows_is_refused_before_torch_is_loaded(
    command, message, tmp_path, tiny_run, tiny_data
):
    other = tmp_path / "words.jsonl"
    other.write_text('{"words": "a story"}\n')
    paths = {"RUN": str(tiny_run), "DATA": str(tiny_data), "OTHER": str(other)}
    for name, path in paths.items():
        command, message = command.replace(name, path), message.replace(name, path)
    script = """
import sys
sys.modules["torch"] = None
from strop.cli import main
sys.exit(main(sys.argv[1:]))
"""
    done = subprocess.run(
        [sys.executable, "-c", script, *command.split()], capture_output=True, text=True, cwd=tmp_path
    )
    assert message in one_line(done, 2)
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(("error", "shown"), [("EACCES", True), ("ENOSPC", True), ("EBADF", False)])
def test_what_the_box_refuses_is_one_line_and_a_slip_of_ours_is_not(error, shown):
    script = f"""
import errno, os, sys
from strop.cli import main
from strop.serve import command
def serve(config: command.ServeConfig) -> None:
    raise OSError(errno.{error}, os.strerror(errno.{error}), "there/it")
command.serve = serve
sys.exit(main(["serve", "bundle"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    if shown:
        assert "strop: there/it: " in one_line(done, 1)
    else:
        assert "Traceback" in done.stderr


def test_an_interrupt_is_one_line_and_exit_code_130():
    script = """
import sys
from strop.cli import main
from strop.serve import command
def serve(config: command.ServeConfig) -> None:
    raise KeyboardInterrupt
command.serve = serve
sys.exit(main(["serve", "bundle"]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert one_line(done, 130) == "strop: interrupted"


def test_the_demo_does_not_empty_a_folder_that_is_not_its_own(strop, tmp_path):
    (tmp_path / "data").mkdir()
    assert "--out ." in one_line(strop("demo", "--out", "."), 2)
    assert (tmp_path / "data").is_dir()


@pytest.fixture
def labelled(tmp_path):
    """A labelled file, large enough for three splits."""
    path = tmp_path / "rows.csv"
    path.write_text("text,label\n" + "".join(f"text {n},{'ab'[n % 2]}\n" for n in range(200)))
    return path


def test_a_full_disk_is_one_line_and_a_fix(labelled):
    command = [sys.executable, "-m", "strop", "data", "check", labelled, "--no-suspects", "--json"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True)
    assert one_line(done, 1).startswith("strop: No space left on device; make room")


def test_a_reader_that_has_enough_is_no_fault(labelled):
    command = [sys.executable, "-m", "strop", "data", "check", labelled, "--no-suspects", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert (process.wait(), process.stderr.read()) == (141, b"")


def test_help_shows_a_default_as_it_is_typed(strop):
    shown = " ".join(strop("tune", "--help").stdout.replace("│", "").split())
    assert "[default: 128 256 384 512]" in shown
    assert "[default: 0]" in strop("train", "--help").stdout
    assert "default: False" not in strop("inspect", "--help").stdout
