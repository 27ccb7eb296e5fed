"""How a try of a step ends: well, refused, held, overtaken, or in trouble that another try may mend. Each leaves its word in the ledger."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import sqlalchemy as sa

from include.engine.delivery import Counts, State, Token
from include.engine.engine import Engine
from include.engine.errors import BinderyError, Held, Refused, StaleToken
from include.engine.full import home_full
from include.engine.inbound.leftovers import sweep_try
from include.engine.ledger import claims

log = logging.getLogger("bindery")


@contextmanager
def ending(
    engine: Engine,
    token: Token,
    counts: Callable[[], Counts] = Counts,
    record: Callable[[sa.Connection], None] | None = None,
    seal: Callable[[], None] = lambda: None,
) -> Iterator[None]:
    """Turn a refusal into `blocked` and a hold into `held`, with `counts()` of what was read until then and whatever `record` enters beside
    it in one transaction (what was set aside, what the rules said); all errors go on to the caller. `seal` brings to disk what `record`
    names: nobody waits for the ledger meanwhile. A try that was overtaken takes its own files away.

    An error from outside the family is noted by its kind only: its text may hold a person's data.
    """
    try:
        with _told(engine, token, counts, record, seal):
            yield
    except StaleToken:
        sweep_try(engine, token)
        raise


@contextmanager
def _told(
    engine: Engine, token: Token, counts: Callable[[], Counts], record: Callable[[sa.Connection], None] | None, seal: Callable[[], None]
) -> Iterator[None]:
    try:
        yield
    except StaleToken:
        raise
    except (Refused, Held) as stop:
        to = State.BLOCKED if isinstance(stop, Refused) else State.HELD
        seal()
        with engine.ledger.begin() as tx:
            if record is not None:
                record(tx)
            shown = {"shown": stop.shown} if isinstance(stop, Held) else {}
            values = {"reason": stop.code, "message": str(stop), "told": stop.values} | shown
            claims.advance(engine.ledger, token, to, tx=tx, counts=stopped(counts()), **values)
        raise
    except BinderyError as trouble:
        claims.note(engine.ledger, token, reason=trouble.code, message=str(trouble), told=trouble.values)
        raise
    except Exception as error:
        if (full := home_full(error, where=token.delivery_id)) is not None:
            claims.note(engine.ledger, token, reason=full.code, message=str(full))
            raise full from error
        claims.note(
            engine.ledger, token, reason="INTERNAL", message=f"{type(error).__name__} in step {token.step}; the task's log has more"
        )
        raise


def stopped(counts: Counts) -> Counts:
    """The counts of a delivery that goes no further: whatever was not set aside or filtered is held back."""
    return Counts(
        in_=counts.in_,
        quarantined=counts.quarantined,
        filtered=counts.filtered,
        held=counts.in_ - counts.quarantined - counts.filtered,
        warnings=counts.warnings,
    )
