"""New patrons at FOLIO: one whose PIN is refused is not left behind, and one of long ago keeps the PIN that they have."""

from __future__ import annotations

import logging

import pytest

from connectors.circulation.backend import Odd
from connectors.circulation.domain import Outcome
from tests.connectors.circulation.remote.site import Site

PIN, GONE = ("POST", "/patron-pin"), ("DELETE", "/users/.*")


def _enrolled(site: Site, pin: str) -> Outcome:
    return site.run(lambda system: system.admit(site.enrol("n1", pin)))


def _pins(site: Site) -> list[str]:
    """Of everybody with the new card."""
    return [one.pin for one in site.library.patrons.values() if one.card == "n1"]


def test_a_new_patron_whose_pin_folio_refuses_is_not_made(site: Site) -> None:
    site.faults.refuses[PIN] = 422
    assert _enrolled(site, "1").reason == "ILS_REFUSED"
    assert _pins(site) == [] and len(site.library.patrons) == 3
    site.faults.refuses.clear()
    assert _enrolled(site, "4711").ok and _pins(site) == ["4711"]


def test_a_new_patron_is_not_made_where_our_user_may_not_set_pins(site: Site) -> None:
    site.faults.refuses[PIN] = 403
    with pytest.raises(Odd, match="403 to a new PIN"):
        _enrolled(site, "4711")
    assert _pins(site) == []


def test_a_new_patron_who_could_not_be_taken_away_again_is_told_of_and_finished_the_next_time(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    site.faults.refuses.update({PIN: 422, GONE: 403})
    with caplog.at_level(logging.WARNING, "bindery.circulation"):
        assert _enrolled(site, "1").reason == "ILS_REFUSED"
    assert "could not be taken away" in caplog.text and "n1" not in caplog.text
    assert _pins(site) == [""]
    site.faults.refuses.clear()
    site.clock.on(hours=2)
    assert _enrolled(site, "4711").ok and _pins(site) == ["4711"]


def test_whom_an_earlier_try_has_made_is_not_taken_away(site: Site) -> None:
    assert _enrolled(site, "4711").ok
    site.faults.refuses[PIN] = 422
    assert _enrolled(site, "1").reason == "ILS_REFUSED"
    assert _pins(site) == ["4711"]


def test_a_patron_of_long_ago_keeps_the_pin_that_they_have(site: Site) -> None:
    assert _enrolled(site, "4711").ok
    site.clock.on(days=2)
    assert _enrolled(site, "1234").reason == "CARD_KNOWN"
    assert _pins(site) == ["4711"]
