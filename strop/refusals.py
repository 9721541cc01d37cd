"""What the machine refuses, such as to write to a full disk: told in one line, with the fix."""

import errno
import os

_NO_ROOM = "make room where the command writes and in TMPDIR, and repeat it"
_NO_RIGHT = "give a path that you may read and write"
_FIXES = {
    errno.ENOSPC: _NO_ROOM,
    errno.EDQUOT: _NO_ROOM,
    errno.EIO: _NO_ROOM + ", or have the disk looked at",
    errno.EFBIG: "raise the limit (ulimit -f) and repeat it",
    errno.EACCES: _NO_RIGHT,
    errno.EPERM: _NO_RIGHT,
    errno.EROFS: _NO_RIGHT,
}


def told(error: OSError) -> str | None:
    """The line for a user; None for an error that is no such refusal, and may be a fault of ours."""
    fix = _FIXES.get(error.errno or 0)
    if fix is None:
        return None
    where = (
        f"{os.fsdecode(error.filename)}: " if isinstance(error.filename, str | bytes | os.PathLike) else ""
    )
    return f"{where}{os.strerror(error.errno or 0)}; {fix}"
