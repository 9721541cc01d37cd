"""The command line: sub-commands found by name, options from frozen dataclasses and one TOML file."""

import difflib
import os
import signal
import sys
import threading
import tomllib
from pathlib import Path
from types import FrameType
from typing import Annotated, Any, NoReturn

import cyclopts
from cyclopts import App, Parameter
from cyclopts.config import Dict

from . import __version__, refusals
from .errors import InputError, StropError, reason
from .options import as_typed

# Named by import path and loaded when called: `strop serve` must not pay for torch.
COMMANDS = {
    "data": ("strop.train.data.command:app", "Make, check and split labelled data."),
    "train": ("strop.train.command:train", "Labelled data to a run: fine-tune an encoder."),
    "merge": ("strop.train.merged:merge", "A run to a model folder that transformers loads."),
    "export": ("strop.export.command:export", "A run to a bundle of measured, gated variants."),
    "inspect": ("strop.export.inspect.command:inspect", "What a bundle is, and whether that is true."),
    "sign": ("strop.export.inspect.command:sign", "Vouch for a bundle with your key."),
    "serve": ("strop.serve.command:serve", "A bundle to a gRPC endpoint with metrics."),
    "health": ("strop.serve.health:health", "Whether a running server takes calls."),
    "models": ("strop.serve.models:models", "What a running server serves; load and unload."),
    "doctor": (
        "strop.serve.doctor.command:doctor",
        "Whether this box is fit to serve, and what to change.",
    ),
    "keys": ("strop.serve.doors.command:app", "Keys for the callers of a server."),
    "query": ("strop.bench.query:query", "Ask a running server."),
    "watch": ("strop.bench.watch.command:watch", "Label a stream of texts; an alert when bad news surges."),
    "bench": ("strop.bench.command:app", "Latency, accuracy and dollars per million queries."),
    "cost": ("strop.bench.cost.command:cost", "What a measured rate is worth, here and elsewhere."),
    "tune": ("strop.bench.tune.command:tune", "The serve options that are fastest within your SLO."),
    "bench-serve": ("strop.bench.serving.command:bench_serve", "The server against its targets."),
    "bench-train": ("strop.bench.training.command:bench_train", "How quickly this box trains."),
    "bench-rivals": ("strop.bench.rivals.command:bench_rivals", "Other servers beside Strop's."),
    "bench-export": (
        "strop.bench.compression.command:bench_export",
        "A bundle's variants against the uncompressed model.",
    ),
    "bench-engines": (
        "strop.bench.engines.command:bench_engines",
        "Engines in-process against padded PyTorch and the peak.",
    ),
    "demo": ("strop.demo:demo", "All of it on real sentences, in about ten minutes."),
}


app = App(
    name="strop",
    default_parameter=Parameter(show_default=as_typed),
    version=__version__,
    help="From labelled text to a costed gRPC endpoint on one edge box.",
    help_epilogue="Options can also stand in a TOML file (--config), under their command's name.",
)
for _place, (_name, (_target, _help)) in enumerate(COMMANDS.items()):
    app.command(_target, name=_name, help=_help, sort_key=_place)


# Errors, exit codes and Ctrl-C are ours to report, below; cyclopts would end the process itself.
_OURS: dict[str, Any] = {
    "exit_on_error": False,
    "print_error": False,
    "result_action": "return_value",
}
app.suppress_keyboard_interrupt = app.meta.suppress_keyboard_interrupt = False


@app.meta.default
def _launch(
    *tokens: Annotated[str, Parameter(show=False, allow_leading_hyphen=True)],
    config: Annotated[Path | None, Parameter(help="TOML file of options; flags win.")] = None,
) -> Any:
    # Set either way: a process may launch more than one command.
    app.config = () if config is None else Dict(_read_config(config), source=str(config))
    return app(tokens, **_OURS)


def _read_config(path: Path) -> dict[str, Any]:
    """Sections of a TOML file, one per command; ``InputError`` for any other section."""
    try:
        sections = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise InputError(f"--config {path} can't be read: {reason(error)}; name a TOML file") from error
    for name in sections:
        if name not in COMMANDS:
            near = difflib.get_close_matches(name, COMMANDS, n=1)
            hint = f"did you mean [{near[0]}]?" if near else f"sections: {', '.join(COMMANDS)}"
            raise InputError(f"--config {path}: unknown section [{name}]; {hint}")
    return sections


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns 0, 2 for bad usage or input, 1 for failure, 130 when interrupted.

    SIGTERM ends it with 143, the servers that it started with it; strop serve drains instead.
    """
    # gRPC's own lines on standard error, one for every failed handshake, are none of ours: errors alone.
    os.environ.setdefault("GRPC_VERBOSITY", "ERROR")
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _terminate)
    try:
        app.meta(arguments, **_OURS)
        sys.stdout.flush()  # not at exit, where what it comes upon is told as Python does
    except cyclopts.CycloptsError as error:
        return _complain(_usage(error), 2)
    except StropError as error:
        return _complain(str(error), error.exit_code)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.startswith("strop"):
            raise
        hint = "pip install 'strop[bench,cpu,train,export]' brings all that the commands use"
        return _complain(f"the Python package {error.name!r} is not installed; {hint}", 1)
    except BrokenPipeError:  # strop … | head: whoever read has enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    except OSError as error:
        if (refusal := refusals.told(error)) is None:
            raise
        return _complain(refusal, 1)
    except KeyboardInterrupt:
        return _complain("interrupted", 130)
    return 0


def _usage(error: cyclopts.CycloptsError) -> str:
    """What is wrong with the words of a command line; cyclopts' message where that names word and fix."""
    command = " ".join(("strop", *(error.command_chain or ())))
    match error:
        case cyclopts.UnusedCliTokensError(unused_tokens=[word, *_]):
            return f"{command} has no place for {word!r}; {command} --help says what it takes"
        case cyclopts.MissingArgumentError(argument=argument, keyword=None) if argument is not None:
            if not argument.tokens:
                names = " or ".join(argument.names)
                return f"{command} needs {names}; {command} --help says what that is"
    return str(error)


def _terminate(number: int, frame: FrameType | None) -> NoReturn:
    sys.exit(128 + number)


def _complain(message: str, code: int) -> int:
    print(f"strop: {message}", file=sys.stderr)
    return code
