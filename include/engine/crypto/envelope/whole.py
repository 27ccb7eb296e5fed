"""A file that is there whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast


@contextmanager
def whole(to: Path) -> Iterator[BinaryIO]:
    """What is written to the context is a file beside `to`: it takes that name, every byte written, when the context ends well, and goes when not."""
    part = None
    try:
        with tempfile.NamedTemporaryFile(dir=to.parent, prefix=f".{to.name}.", delete=False) as made:
            part = Path(made.name)
            yield cast(BinaryIO, made)
        part.replace(to)
    except BaseException:
        if part is not None:
            part.unlink(missing_ok=True)
        raise
