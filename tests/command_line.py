"""The command line without a process of its own, which would take longer to load torch."""

import contextlib
import io

from strop.cli import main


def strop(*arguments: object, code: int = 0) -> str:
    """Run ``strop`` with these words to that exit code; what it printed or, of an error, complained of."""
    shown, errors = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(errors):
        assert main([*map(str, arguments)]) == code, errors.getvalue()
    return (errors if code else shown).getvalue()
