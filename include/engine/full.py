"""A full disk of our own, told from other trouble: by the number of the error, or by its words where a library passes on nothing else."""

from __future__ import annotations

import errno

from include.engine.errors import Unreachable

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_WORDS = ("No space left on device", "os error 28", "Disk quota exceeded", "os error 122", "File too large", "os error 27")


def home_full(error: BaseException, *, where: str = "") -> Unreachable | None:
    """The error of a full disk, if `error` or what led to it is one; a retry helps once there is room."""
    seen: BaseException | None = error
    while seen is not None:
        if (isinstance(seen, OSError) and seen.errno in _FULL) or any(word in str(seen) for word in _WORDS):
            what, do = "the disk of this installation is full.", "Make room on it; the task is tried again, and goes on where it was."
            return Unreachable(what, where=where, do=do, code="HOME_FULL")
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return None
