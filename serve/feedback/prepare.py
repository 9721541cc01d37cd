"""The store of answers, made and checked before anything is loaded."""

from strop.errors import InputError
from strop.feedback import FeedbackStore

from .options import FeedbackOptions


def prepare_store(options: FeedbackOptions) -> None:
    """Begin the store if one is asked for, in one process before several write it.

    Raises ``InputError`` when the file can't be one, or a package is missing that masks texts.
    """
    if options.feedback is None:
        return
    try:
        import strop.redaction  # noqa: F401 - only whether it can be
    except ModuleNotFoundError as error:
        message = f"--feedback needs the Python package {error.name!r}; pip install 'strop[redact]'"
        raise InputError(message) from error
    FeedbackStore.open(options.feedback, options.feedback_megabytes).close()
