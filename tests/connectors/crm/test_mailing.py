"""Who may be written to, as a file for the mailing system, over SFTP; and what visits, lectures and prospects become in the CRM."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest

from connectors.crm import activities, mailing, outbound
from include.engine.delivery import State
from include.sandbox.servers.sftp import sftp_server
from tests.connectors.crm.conftest import SALESFORCE, Library

ANA = {"email": "ana@lindeby.example"}
MAILING = """\
  crm_mailing:
    schedule: "0 3 29 2 *"
    outbox: sftp://mailing/in
    bom: true
    segments:
      grown_up: {category: [adult], born: 1970..1999}
      main: {home_library: [hb]}
"""
DOINGS = """\
      task:
        object: Task
        key: Bindery_Id__c
        fields: {Subject: subject, ActivityDate: happened_on, Who.Bindery_Id__c: about, Branch__c: branch}
      case:
        object: Case
        key: Bindery_Id__c
        fields: {Subject: subject, Status: status, Reported_On__c: happened_on, Contact.Bindery_Id__c: about}
      campaign_member:
        object: CampaignMember
        key: Bindery_Id__c
        fields: {Contact.Bindery_Id__c: about, Campaign.Bindery_Id__c: campaign, Status: status, Responded_On__c: happened_on}
      lead:
        object: Lead
        key: Bindery_Id__c
        fields: {LastName: last_name, FirstName: first_name, Email: email, Company: company}
        anonymous: {LastName: Anonymised, Company: Anonymised}
  crm_activities:
    inbox: file:inbox/lindeby
    every: 0s
    ready: {stable_for: 0s}
    kinds: {besøg: task, klage: case, foredrag: campaign_member}
    columns: {activity_id: nr, happened_on: dato}
    deliveries:
      - {table: crm_activity, files: "activities_*.csv", mode: delta}
      - {table: crm_prospect, files: "prospects_*.csv", mode: full}
"""


def lines(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("utf-8-sig"), newline=""), delimiter=";"))


def test_everybody_who_agreed_and_has_an_address_is_in_the_file_with_segments_and_who_withdrew_is_unsubscribed(library, tmp_path) -> None:
    folder = tmp_path / "mailing"
    (folder / "in").mkdir(parents=True)
    library.settle(MAILING)
    library.with_connector(mailing).has(
        p1=ANA, p2={**ANA, "consent": False}, p3={**ANA, "protected": True}, p4={**ANA, "birth_date": date(2020, 1, 1)}, p5={},
        p6={**ANA, "birth_date": date(1950, 1, 1), "home_library": "nb", "last_name": "Åkær; \"Ø\""}, p7={"email": "no address"},
    )  # fmt: skip
    with sftp_server(folder) as server:
        library.engine.credentials.environment["AIRFLOW_CONN_MAILING"] = server.connection_uri
        done = library.sync("crm_mailing")
        assert (done.state, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 2, 1)
        [file] = (folder / "in").glob("mailing_*.csv")
        found = {row["external_id"]: row for row in lines(file.read_bytes())}
        assert set(found) == {library.external("p1"), library.external("p6")}
        assert found[library.external("p1")]["segments"] == "grown_up|main"
        assert (found[library.external("p6")]["segments"], found[library.external("p6")]["last_name"]) == ("", 'Åkær; "Ø"')
        library.has(p1={"consent": False})
        library.sync("crm_mailing")
        found = {row["external_id"]: row for row in lines(file.read_bytes())}
    gone = found[library.external("p1")]
    assert gone.pop("status") == "unsubscribed"
    assert set(gone.values()) == {library.external("p1"), ""}


@pytest.fixture
def doing(library: Library) -> Library:
    """A library that keeps lists of what its patrons do."""
    library.settle(system=SALESFORCE + DOINGS)
    library.has(p1=ANA, p2={**ANA, "consent": False})
    return library


def test_visits_complaints_and_lectures_of_those_who_agreed_become_tasks_cases_and_campaign_members(doing, org) -> None:
    org.state.org.insert("Campaign", {"Name": "Autumn talks", "Bindery_Id__c": "autumn"})
    rows = [
        "nr;kind;patron_id;subject;dato;status;campaign;branch",
        "1;besøg;p1;Book talk;2026-11-01;;;hb",
        "2;klage;p1;Opening hours;2026-11-02;open;;",
        '3;foredrag;p1;"Talk; with coffee";2026-11-03;attended;autumn;',
        "4;besøg;p2;Book talk;2026-11-01;;;hb",
        "5;besøg;p1;Book talk;1 November;;;hb",
        "6;tyveri;p1;Book talk;2026-11-01;;;hb",
    ]
    taken = doing.with_connector(activities).deliver("activities_1.csv", "\n".join(rows) + "\n")
    assert (taken.state, taken.counts.published, taken.counts.quarantined) == (State.ACKNOWLEDGED, 4, 2)
    assert all(row["patron"] not in {"p1", "p2"} for row in doing.rows("crm_activity", "activity_id"))
    done = doing.with_connector(outbound).sync()
    assert doing.figures(done) == {"created": 4}
    contact = org.state.org.one("Contact", doing.external("p1"))
    [task], [case], [member] = (org.state.org.all(name) for name in ("Task", "Case", "CampaignMember"))
    assert (task["Subject"], task["WhoId"], task["ActivityDate"]) == ("Book talk", contact["Id"], "2026-11-01")
    assert (case["Status"], case["ContactId"], member["ContactId"], member["Status"]) == ("open", contact["Id"], contact["Id"], "attended")
    doing.has(p1={"consent": False})
    assert doing.figures(doing.sync()) == {"removed": 4}


def test_prospects_who_agreed_become_leads_and_go_when_the_list_drops_them(doing, org) -> None:
    rows = [
        "prospect_id;first_name;last_name;email;company;consent",
        "1;Bo;Lund;bo@avis.example;Lindeby Avis;ja",
        "2;Ib;Skov;ib@avis.example;Avis;nej",
    ]
    doing.with_connector(activities).deliver("prospects_1.csv", "\n".join(rows) + "\n")
    doing.with_connector(outbound).sync()
    [lead] = org.state.org.all("Lead")
    assert (lead["LastName"], lead["Company"]) == ("Lund", "Lindeby Avis")
    doing.with_connector(activities).deliver("prospects_2.csv", "\n".join([rows[0], rows[2]]) + "\n")
    assert doing.with_connector(outbound).figures(doing.sync()) == {"removed": 1}
    assert org.state.org.all("Lead")[0]["Email"] is None


def test_a_list_without_a_column_that_every_row_needs_is_refused(doing) -> None:
    refused = doing.with_connector(activities).deliver("activities_1.csv", "nr;kind;dato\n1;besøg;2026-11-01\n")
    assert (refused.state, refused.reason) == (State.BLOCKED, "COLUMN_MISSING")


def test_a_line_whose_quote_nothing_closes_is_set_aside_however_long_it_is(doing) -> None:
    head, good = "nr;kind;patron_id;subject;dato;campaign;status;branch", "1;besøg;p1;Book talk;2026-11-01;;;hb"
    taken = doing.with_connector(activities).deliver("activities_1.csv", f'{head}\n{good}\n2;besøg;p1;"{"x" * 140_000}\n')
    assert (taken.state, taken.counts.published, taken.counts.quarantined) == (State.ACKNOWLEDGED, 1, 1)


def test_a_list_whose_head_is_in_another_character_set_is_refused(doing) -> None:
    refused = doing.with_connector(activities).deliver("activities_1.csv", "nr;kind;låner\n1;besøg;p1\n".encode("latin-1"))
    assert (refused.state, refused.reason) == (State.BLOCKED, "CHARSET_REFUSED")
