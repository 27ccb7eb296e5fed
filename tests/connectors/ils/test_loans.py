"""Loans as libraries keep them: open, history or events."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime

from tests.connectors.ils.reading import HEADER, Library, Result, loans, read_all

EVENTS = "Udlånsnr;Hændelse;Lånernr;Kortnummer;Eksemplarnr;Udlånt;Afleveringsfrist;Afleveret;Fornyelser;Udlånsfilial;Tidspunkt{}\n"


def events(*rows: str, more: str = "") -> Result:
    return read_all(("\ufeff" + EVENTS.format(more) + "".join(row + "\n" for row in rows)).encode(), "loan", "cicero", "events")


def test_a_history_row_is_one_loan_with_its_renewals_counted_beside() -> None:
    row = loans(HEADER + b"1,10,100,2026-01-02 10:00:00,2026-02-01 23:59:00,2026-01-20 09:00:00,2,MAIN\n").rows["loan"][0]
    assert (row["event"], row["event_id"], row["renewals"], row["kind"]) == ("loan", "once", 2, "home")
    assert (row["due_on"], row["returned_on"]) == (date(2026, 2, 1), date(2026, 1, 20))
    assert row["returned_at"].astimezone(UTC) == datetime(2026, 1, 20, 8, 0, tzinfo=UTC)


def test_anonymous_patrons_read_as_nobody_and_the_loan_stays() -> None:
    result = loans(HEADER + b"1,0,100,2026-01-02 10:00:00,2026-02-01,,0,MAIN\n2,,100,2026-01-02 10:00:00,2026-02-01,,0,MAIN\n")
    assert [row["patron_id"] for row in result.rows["loan"]] == [None, None]


def test_a_virtual_branch_gives_its_loans_a_kind() -> None:
    result = loans(HEADER + b"1,10,100,2026-01-02 10:00:00,2026-02-01,,0,ILL\n2,10,100,2026-01-02 10:00:00,2026-02-01,,0,EBOOK\n")
    assert [row["kind"] for row in result.rows["loan"]] == ["interlibrary", "e_loan"]


def test_each_event_is_a_row_and_a_renewal_never_a_loan() -> None:
    result = events(
        "L1;Udlån;17;;E1;01-03-2026 10:00;31-03-2026;;0;HB;01-03-2026 10:00",
        "L1;Fornyelse;17;;E1;01-03-2026 10:00;30-04-2026;;1;HB;20-03-2026 12:00",
        "L1;Fornyelse;17;;E1;01-03-2026 10:00;30-05-2026;;2;HB;20-04-2026 12:00",
        "L1;Aflevering;17;;E1;01-03-2026 10:00;30-05-2026;02-05-2026;2;HB;02-05-2026 11:30",
    )
    rows = result.rows["loan"]
    assert [(row["event"], row["event_id"], row["renewals"]) for row in rows] == [
        ("loan", "once", 0),
        ("renewal", "20260320T110000Z", 1),
        ("renewal", "20260420T100000Z", 1),
        ("return", "once", 0),
    ]
    assert len({(row["loan_id"], row["event"], row["event_id"]) for row in rows}) == 4
    assert sum(row["event"] == "loan" for row in rows) == 1


def test_the_same_renewal_delivered_twice_has_the_same_key() -> None:
    renewal = "L1;Fornyelse;17;;E1;01-03-2026 10:00;30-04-2026;;1;HB;20-03-2026 12:00"
    assert events(renewal).rows["loan"][0]["event_id"] == events(renewal).rows["loan"][0]["event_id"]


def test_a_librarys_own_event_numbers_tell_renewals_apart() -> None:
    result = events("L1;Fornyelse;17;;E1;01-03-2026 10:00;30-04-2026;;1;HB;;881", more=";Hændelsesnr")
    assert result.rows["loan"][0]["event_id"] == "881"


def test_a_renewal_without_moment_is_known_by_its_new_due_date() -> None:
    assert events("L1;Fornyelse;17;;E1;01-03-2026 10:00;30-04-2026;;1;HB;").rows["loan"][0]["event_id"] == "due20260430"


def test_a_card_may_stand_for_the_patron() -> None:
    row = events("L1;Udlån;;29990001;E1;01-03-2026 10:00;31-03-2026;;0;HB;01-03-2026 10:00").rows["loan"][0]
    assert (row["patron_id"], row["card_number"]) == (None, "29990001")


def folio(*loans: dict[str, object], declared: str) -> Result:
    lines = "".join(json.dumps(loan) + "\n" for loan in loans)
    return read_all(lines.encode(), "loan", "folio", declared, Library("SE-Almv", "Europe/Stockholm"))


LOAN = {
    "id": "f1",
    "userId": "u",
    "itemId": "i",
    "loanDate": "2026-03-01T09:00:00.000+00:00",
    "dueDate": "2026-03-31T21:59:59.000+00:00",
    "renewalCount": 1,
}


def test_folios_last_action_makes_no_event_of_an_open_loan() -> None:
    row = folio(LOAN | {"action": "renewed"}, declared="open").rows["loan"][0]
    assert (row["event"], row["renewals"], row["due_on"]) == ("loan", 1, date(2026, 3, 31))


def test_folios_actions_are_events_in_its_audit_and_what_is_none_is_filtered() -> None:
    told = {"metadata": {"updatedDate": "2026-03-20T09:00:00.000+00:00"}}
    result = folio(
        *(LOAN | told | {"action": action} for action in ("checkedout", "renewed", "dueDateChanged", "checkedin")), declared="events"
    )
    assert [row["event"] for row in result.rows["loan"]] == ["loan", "renewal", "return"]
    assert result.filtered == {"NOT_A_LOAN_EVENT": 1}


def test_a_v_smart_loan_gets_its_number_from_item_and_moment() -> None:
    text = "EXEMPLAAR\tUITLEENTIJD\tLENERNR\tINLEVERDATUM\tINGELEVERD\tVERLENGD\tVESTIGING\n0123\t202603011015\t77\t20260331\t00000000\t1\tCENTR\n"
    result = read_all(text.encode("latin-1"), "loan", "v_smart", "open", Library("BE-XXX01", "Europe/Brussels"))
    row = result.rows["loan"][0]
    assert (row["loan_id"], row["returned_on"], row["renewals"], row["loaned_on"]) == ("0123-202603011015", None, 1, date(2026, 3, 1))
