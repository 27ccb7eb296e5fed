"""A library with patrons who live somewhere, and one who asks it over NCIP."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connectors.circulation.embedded.backend import Embedded
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.ncip.asking import Caller, caller

CPR = "0101801234"


@pytest.fixture
def database() -> str:
    """SQLite alone: what a store makes of a change is tested with the rules, in both databases."""
    return "sqlite"


@pytest.fixture
def living(library: Embedded) -> Embedded:
    """Reader One lives in municipality 101 and has a civil number (made up) as a card, too."""
    row = library.store.get("patron", "p1")
    assert row is not None
    library.store.apply([["patron", row | {"municipality": "101", "email": "one@example.org", "address": "Havnegade 1\n2000 Lindeby"}]])
    library.store.fill("card", [{"card": CPR, "patron": "p1"}])
    library.commit()
    return library


@pytest.fixture
def asker(living: Embedded, clock: Clock) -> Iterator[Caller]:
    with caller(living, clock) as found:
        yield found
