"""What the commands share: options, where they print, and how they tell an error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console

from include.engine.errors import BinderyError

console = Console()
Port = Annotated[int, typer.Option(min=0, max=65535)]
SAID_SECONDS = 5.0
Host = Annotated[str, typer.Option(help="Where the server listens.")]


def told(work: Callable[[], None]) -> None:
    """Errors of ours are for the reader, not a traceback."""
    try:
        work()
    except (BinderyError, OSError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None


def hashing() -> Callable[[int, int], None]:
    """Says on the standard error every few seconds how many PINs are hashed, for it may take minutes."""
    said = begun = monotonic()

    def told(done: int, of: int) -> None:
        nonlocal said
        now = monotonic()
        if now - said >= SAID_SECONDS and done < of:
            said = now
            left = (now - begun) / done * (of - done)
            print(f"{done:,} of {of:,} PINs are hashed, about {left:,.0f} seconds more", file=sys.stderr)

    return told
