"""How a window went, in the ledger: whatever happens, and with what came of it made durable before."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from connectors.oai_pmh.harvest.progress import Progress
from include.engine.errors import BinderyError
from include.engine.inbound.pulled import Pull
from include.engine.ledger import windows
from include.engine.ledger.windows import Window


@contextmanager
def noted(pull: Pull, window: Window, progress: Progress) -> Iterator[None]:
    """The work of a window: `fetched` at its end, or what is in its way."""
    try:
        yield
    except BinderyError as error:
        pull.pages.flush()
        windows.note(pull.engine.ledger, window, figures=progress.figures(), reason=error.code, message=str(error))
        raise
    pull.pages.flush()
    windows.note(pull.engine.ledger, window, figures=progress.figures(), fetched=True)
