"""What the commands share: options, where they print, and how they tell an error."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer
from rich.console import Console

from include.engine.errors import BinderyError

console = Console()
Port = Annotated[int, typer.Option(min=0, max=65535)]
Host = Annotated[str, typer.Option(help="Where the server listens.")]


def told(work: Callable[[], None]) -> None:
    """Errors of ours are for the reader, not a traceback."""
    try:
        work()
    except (BinderyError, OSError) as error:
        print(error, file=sys.stderr)
        raise typer.Exit(1) from None
