"""The root of Strop's exception tree: what a user is told, and the exit code it ends with."""


class StropError(Exception):
    """Something failed that the user should read as one line; ends a command with exit code 1."""

    exit_code = 1


class InputError(StropError):
    """What the user gave is wrong; the message names the thing, its value and the fix. Exit code 2."""

    exit_code = 2


def reason(error: Exception) -> str:
    """Why something failed, for the middle of a message: no errno, no path, which stand there anyway."""
    return (isinstance(error, OSError) and error.strerror) or str(error)
