"""An adapter's folder: where it is, how much of it is wanted, and what it says before it is loaded."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from strop.errors import InputError

ADAPTER_FOLDER = "adapter"
ADAPTER_FILE = "adapter_config.json"


@dataclass(frozen=True)
class Adapter:
    """What peft's ``save_pretrained`` wrote, and its weight beside others."""

    folder: Path
    weight: float = 1.0

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``PATH`` or ``PATH=WEIGHT``; a run's path stands for the adapter in it.

        Raises ``InputError`` when no adapter is there.
        """
        path, _, weight = text.rpartition("=")
        try:
            found = cls(Path(path), float(weight)) if path else cls(Path(text))
        except ValueError:  # a path with "=" in it
            found = cls(Path(text))
        if is_adapter(found.folder / ADAPTER_FOLDER):
            found = cls(found.folder / ADAPTER_FOLDER, found.weight)
        found.settings()
        return found

    def settings(self) -> dict[str, Any]:
        """Its configuration as peft wrote it; ``InputError`` when it can't be read."""
        if not is_adapter(self.folder):
            raise InputError(
                f"{self.folder} is not an adapter: {ADAPTER_FILE} is missing; name a folder that peft"
                " wrote, or a run that has one"
            )
        path = self.folder / ADAPTER_FILE
        try:
            settings = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(settings.get("peft_type"), str):
                raise ValueError("it names no peft_type")
        except (OSError, ValueError, AttributeError) as error:
            raise InputError(f"{path} can't be read ({error}); save the adapter again") from error
        return dict(settings)

    @property
    def name(self) -> str:
        """Its run's name, or its folder's."""
        folder = self.folder.resolve()
        return folder.parent.name if folder.name == ADAPTER_FOLDER else folder.name

    @property
    def base_model(self) -> str | None:
        """The base it was trained on, by the name that it had then, where the folder tells it."""
        return self.settings().get("base_model_name_or_path")


def is_adapter(folder: Path) -> bool:
    """Whether a folder looks like an adapter's."""
    return (folder / ADAPTER_FILE).is_file()
