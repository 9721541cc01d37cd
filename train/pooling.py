"""What a text's vector is made of, as sentence-transformers reads and writes it beside a model."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from strop.errors import InputError
from strop.tasks import Pooling

from .config import TrainConfig
from .run import Run

MODULES_FILE = "modules.json"
SETTINGS_FILE = "config.json"
POOLING_FOLDER = "1_Pooling"
POOLINGS: Mapping[str, Pooling] = {"mean": "mean", "cls": "cls"}
"""Ours by sentence-transformers' names."""
FLAGS = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
# A cosine doesn't mind how long vectors are, and whoever asks for them says if they are to be of length 1.
HARMLESS = ("Transformer", "Normalize")


def pooling_of(config: TrainConfig) -> Pooling:
    """The pooling of the run in ``--from`` or of ``--model``; the mean where a model says nothing of it.

    Raises ``InputError`` for a model that can't be read, or that makes its vectors in another way.
    """
    if config.from_:
        found = Run.open(config.from_).task.pooling
    else:
        # Not at the top: of a run it is told without torch.
        from .encoder import Encoder

        found = stated_pooling(Encoder.open(str(config.model), config.columns.task).name)
    return found or "mean"


def stated_pooling(model: str) -> Pooling | None:
    """What a folder or hub id says as sentence-transformers writes it; None if it says nothing.

    Its modules.json lists what a text goes through, each a class and a folder with its settings.
    Raises ``InputError`` where those can't be had, or ask for what Strop doesn't compute.
    """
    modules = _read(model, MODULES_FILE)
    if modules is None:
        return None
    found: Pooling | None = None
    try:
        kinds = [(str(one["type"]).rpartition(".")[2], str(one["path"])) for one in modules]
        for kind, folder in kinds:
            if kind == "Pooling":
                found = _pooling(model, f"{folder}/{SETTINGS_FILE}")
            elif kind not in HARMLESS:
                raise _refused(model, f"has a {kind} layer on top ({folder})")
    except (TypeError, KeyError, AttributeError) as error:
        raise _refused(model, f"has a {MODULES_FILE} that can't be read ({error!r})") from error
    return found


def write_pooling(folder: Path, pooling: Pooling, dimensions: int) -> None:
    """Say it of the model in ``folder``, so that sentence-transformers makes the same vectors."""
    kinds = {"": "Transformer", POOLING_FOLDER: "Pooling"}
    modules = [
        {"idx": place, "name": str(place), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for place, (path, kind) in enumerate(kinds.items())
    ]
    settings = {flag: mode == pooling for flag, mode in FLAGS.items()}
    _write(folder / MODULES_FILE, modules)
    _write(folder / POOLING_FOLDER / SETTINGS_FILE, {"word_embedding_dimension": dimensions} | settings)


def _pooling(model: str, file: str) -> Pooling:
    """By a pooling layer's own settings: a flag for each mode or, since version 6, their names."""
    settings = _read(model, file)
    if settings is None:
        raise _refused(model, f"lacks {file}, which its {MODULES_FILE} names")
    modes = settings.get("pooling_mode")
    if modes is None:
        modes = [mode for flag, mode in FLAGS.items() if settings.get(flag)] or "mean"
    named = modes if isinstance(modes, str) else "+".join(map(str, modes))
    if named not in POOLINGS:
        raise _refused(model, f"pools its tokens by {named} ({file})")
    return POOLINGS[named]


def _read(model: str, file: str) -> Any:
    """A JSON file of the model; None if it has no such file."""
    folder = Path(model)
    try:
        path = folder / file if folder.is_absolute() else Path(hf_hub_download(model, file))
        return json.loads(path.read_text(encoding="utf-8"))
    except LocalEntryNotFoundError as error:  # which says nothing of what is there
        raise _refused(model, f"may have a {file}, and its hub can't be asked") from error
    except (EntryNotFoundError, FileNotFoundError):
        return None
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split())
        raise _refused(model, f"has a {file} that can't be read ({reason:.160})") from error


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def _refused(model: str, what: str) -> InputError:
    return InputError(
        f"--pooling auto: model {model} {what}, so that Strop can't make vectors as it did; say"
        " --pooling mean or cls to train it with one of those"
    )
