"""How long what is about people stays: prospects erased by their own number or with the patron they are, and periods of the CRM's tables."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from connectors.crm import activities, outbound
from include.engine import clock
from include.engine.delivery import State
from include.engine.erasure import ask, erase
from include.engine.errors import WrongState
from include.engine.ledger import keys as key_rows
from include.engine.replay import replay
from include.engine.retention import enforce
from tests.connectors.crm.conftest import SALESFORCE, Library
from tests.connectors.crm.test_mailing import ANA, DOINGS

HEAD = "prospect_id;first_name;last_name;email;phone;company;consent;happened_on"
BO = "1;Bo;Kanariefugl;bo@avis.example;+45 00777777;Lindeby Avis;ja;2026-11-01"
IB = "17;Ib;Skov;ib@avis.example;;Avis;ja;2026-11-01"


@pytest.fixture
def listed(library: Library) -> Library:
    """A library with a patron and two prospects, all in the CRM."""
    library.settle(system=SALESFORCE + DOINGS)
    library.has(p1=ANA, p17=ANA)
    library.with_connector(activities).deliver("prospects_1.csv", "\n".join([HEAD, BO, IB]) + "\n")
    library.with_connector(outbound).sync()
    return library


def prospects(library: Library) -> set[str]:
    return {row["prospect_id"] for row in library.rows("crm_prospect", "prospect_id")}


def test_a_prospect_is_erased_by_their_number_from_lake_landing_and_crm(listed, org) -> None:
    reference = ask(listed.engine, "lindeby", prospect="1")
    done = erase(listed.engine, "lindeby", reference, who="kirsten")
    assert prospects(listed) == {"17"}
    assert "lake, table crm_prospect" in {place.place for place in done.places if place.found}
    assert {row["patron_id"] for row in listed.rows("patron_identity", "patron_id")} == {"p1", "p17"}
    everywhere = b"".join(file.read_bytes() for file in listed.engine.home.rglob("*") if file.is_file())
    for value in ("Kanariefugl", "bo@avis.example", "00777777"):
        assert value.encode() not in everywhere
    assert listed.figures(listed.sync()) == {"removed": 1}
    assert {lead["LastName"] for lead in org.state.org.all("Lead")} == {"Anonymised", "Skov"}
    assert erase(listed.engine, "lindeby", reference, who="kirsten").number == done.number


def test_the_list_that_named_an_erased_prospect_cannot_be_replayed_and_others_stay_whole(listed, org) -> None:
    [first] = [row.subject for row in key_rows.find(listed.engine.ledger, purpose="delivery") if "crm_prospect" in row.subject]
    erase(listed.engine, "lindeby", ask(listed.engine, "lindeby", prospect="17"), who="kirsten")
    assert prospects(listed) == {"1"}
    with pytest.raises(Exception, match="KEY_DESTROYED"):
        replay(listed.engine, first, who="kirsten")


def test_a_patron_who_is_erased_is_the_prospect_with_the_same_address_too(listed, org) -> None:
    listed.has(p1={"email": "Bo@Avis.example"})
    erase(listed.engine, "lindeby", ask(listed.engine, "lindeby", patron_id="p1"), who="kirsten")
    assert prospects(listed) == {"17"}


def test_a_number_that_nobody_has_erases_nothing_and_says_so(listed) -> None:
    done = erase(listed.engine, "lindeby", ask(listed.engine, "lindeby", prospect="99"), who="kirsten")
    assert sum(place.found for place in done.places) == 0
    with pytest.raises(WrongState, match="hexadecimal"):
        erase(listed.engine, "lindeby", "99", who="kirsten")


def test_prospects_and_activities_go_after_two_years_and_so_they_do_in_the_crm(listed, org) -> None:
    rows = ["nr;kind;patron_id;subject;dato", "1;besøg;p1;Talk;2026-11-01"]
    listed.with_connector(activities).deliver("activities_1.csv", "\n".join(rows) + "\n")
    listed.with_connector(outbound).sync()
    with time_machine.travel(clock.now() + timedelta(days=600)):
        assert enforce(listed.engine).rows == 0
    with time_machine.travel(clock.now() + timedelta(days=800)):
        assert enforce(listed.engine).rows == 3
    assert (prospects(listed), listed.rows("crm_activity", "activity_id")) == (set(), [])
    assert listed.figures(listed.sync()) == {"removed": 3}


def test_a_prospect_without_a_day_counts_from_the_list_that_brought_it_and_a_partner_may_keep_them_shorter(listed, org) -> None:
    listed.settle("retention: {tables: {crm_prospect: 100 days}}\n", system=SALESFORCE + DOINGS)
    listed.with_connector(activities).deliver("prospects_2.csv", "\n".join([HEAD, BO, "18;Eva;Bro;eva@bro.example;;Bro;ja;"]) + "\n")
    assert prospects(listed) == {"1", "18"}
    with time_machine.travel(clock.now() + timedelta(days=90)):
        enforce(listed.engine)
        assert "18" in prospects(listed)
    with time_machine.travel(clock.now() + timedelta(days=130)):
        enforce(listed.engine)
    assert prospects(listed) == set()
    assert listed.with_connector(outbound).sync().state == State.ACKNOWLEDGED
