"""What a training starts from beside its data, checked as far as a moment suffices: without torch."""

from .config import TrainConfig
from .examples import require_texts
from .run import Run


def require_beginnings(config: TrainConfig) -> None:
    """Raise ``InputError`` for earlier runs of another task, and unlabelled texts in other columns.

    Nobody is to wait for a model, or for data to be read, to hear of a slip of the keyboard.
    """
    columns = config.columns
    for path, option in ((config.from_, "--from"), (config.teacher, "--teacher")):
        if path:
            Run.open(path).require_same_question(columns, option)
    if config.unlabelled:
        require_texts(config.unlabelled, columns)
