"""Loans go to posthus once, as lines that only posthus can read, and nothing that names a person goes anywhere."""

from __future__ import annotations

import pyarrow as pa
import pytest
import time_machine

from connectors.adhl.upload import lines
from include.engine import clock
from include.engine.delivery import State
from include.engine.ledger import quarantined
from tests.connectors.adhl.upload.conftest import CPR, DAY, today


def yesterday() -> str:
    return day(1)


def day(days: int) -> str:
    return f"{today() - days * DAY:%Y%m%d}"


def test_a_loan_becomes_a_line_that_posthus_decrypts(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "4711"})
    done = lending.upload()
    assert (done.state, done.counts.in_, done.counts.published) == (State.ACKNOWLEDGED, 1, 1)
    assert lending.posthus.lines() == [f"{yesterday()},{lending.borrower('1')},k,1984,12345678"]
    assert list(lending.posthus.inbox.iterdir()) == [] and lending.posthus.mails == []
    assert "1 records: 1 sent" in lending.receipt(done)


@pytest.mark.parametrize("encryption", ["openpgp", "cms"])
@pytest.mark.parametrize(("grouping", "expected"), [("one_title", ["a1", "b2", "c3"]), ("many_titles", ["a1,b2", "c3"])])
def test_both_forms_and_both_encryptions_arrive(lending, encryption: str, grouping: str, expected: list[str]) -> None:
    lending.settle(encryption=encryption, grouping=grouping)
    lending.patrons("1")
    lending.loans(
        {"loan_id": "1", "control_number": "b2"}, {"loan_id": "2", "control_number": "a1"},
        {"loan_id": "3", "control_number": "c3", "loaned_on": today()},
    )  # fmt: skip
    assert lending.upload().counts.published == 3
    assert [line.partition(",1984,")[2] for line in lending.posthus.lines()] == expected


def test_what_is_no_home_loan_of_a_person_is_left_out_and_counted(lending) -> None:
    lending.patrons("1")
    lending.patrons("school", institution=True)
    lending.loans(
        {"loan_id": "1"},
        {"loan_id": "1", "event": "renewal", "event_id": "r1"},
        {"loan_id": "1", "event": "return"},
        {"loan_id": "2", "kind": "in_library"},
        {"loan_id": "3", "kind": "interlibrary"},
        {"loan_id": "4", "kind": "institution"},
        {"loan_id": "5", "kind": "e_loan"},
        {"loan_id": "6", "patron": None},
        {"loan_id": "7", "patron": "school"},
        {"loan_id": "8", "patron": "stranger"},
    )
    done = lending.upload()
    assert (done.counts.in_, done.counts.published, done.counts.filtered) == (10, 1, 9)
    assert done.facts["filtered"] == dict.fromkeys(sorted(done.facts["filtered"]), 1)
    assert len(lending.posthus.lines()) == 1
    assert "an e-loan: ADHL counts home loans" in lending.receipt(done)
    assert lending.upload().counts.in_ == 0


def test_a_late_loan_goes_once_and_a_changed_one_not_again(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    lending.upload()
    lending.loans({"loan_id": "0", "loaned_on": today() - 200 * DAY}, {"loan_id": "1", "returned_on": today()})
    late = lending.upload()
    assert (late.counts.in_, late.counts.published) == (1, 1)
    assert lending.upload().counts.in_ == 0
    assert [line[:8] for line in lending.posthus.lines()] == [yesterday(), day(200)]


def test_how_late_and_since_when_are_settings(lending) -> None:
    lending.patrons("1")
    lending.settle(late="30 days")
    lending.loans({"loan_id": "1"}, {"loan_id": "2", "loaned_on": today() - 31 * DAY})
    assert lending.upload().counts.in_ == 1
    lending.settle(since=str(today() - 300 * DAY))
    lending.loans({"loan_id": "3", "loaned_on": today() - 301 * DAY})
    assert lending.upload().counts.in_ == 1
    assert [line[:8] for line in lending.posthus.lines()] == [yesterday(), day(31)]


def test_a_loan_waits_for_its_patron_and_is_counted_once_meanwhile(lending) -> None:
    lending.loans({"loan_id": "1"})
    first = lending.upload()
    assert (first.counts.in_, first.facts["filtered"]) == (1, {"ADHL_PATRON_UNKNOWN": 1})
    assert lending.upload().counts.in_ == 0
    lending.patrons("1", gender=None)
    assert lending.upload().facts["filtered"] == {"ADHL_SEX_UNKNOWN": 1}
    lending.patrons("1", gender="m")
    assert lending.upload().counts.published == 1
    assert lending.posthus.lines() == [f"{yesterday()},{lending.borrower('1')},m,1984,12345678"]


def test_a_retracted_loan_is_not_sent_and_delivered_anew_it_is_sent_once(lending) -> None:
    from include.engine.lake.retract import retract as take_out

    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    wrong = lending.loans({"loan_id": "2"})
    take_out(lending.engine.lake, "loan", wrong)
    from include.engine.lake.read import newest
    from include.engine.ledger import manifests

    manifests.pin(lending.engine.ledger, None, {"loan": manifests.Versions(None, newest(lending.engine.lake, "loan"))})
    assert lending.upload().counts.in_ == 1
    lending.loans({"loan_id": "2"})
    assert lending.upload().counts.in_ == 1
    assert len(lending.posthus.lines()) == 2


def test_the_title_is_that_of_the_item_where_the_loan_names_none(lending) -> None:
    lending.patrons("1")
    lending.bring("item", [{"item_id": "i1", "control_number": "2 345-678 9", "status": "available", "placeholder": False}])
    lending.loans({"loan_id": "1", "control_number": None, "item_id": "i1"})
    assert lending.upload().counts.published == 1
    assert lending.posthus.lines()[0].endswith(",23456789")


def test_a_merged_patron_has_one_pseudonym(lending) -> None:
    lending.patrons("1", "2", "3")
    alias = [{"alias": lending.pseudonym("1"), "patron": lending.pseudonym("2"), "kind": "merged"},
             {"alias": lending.pseudonym("2"), "patron": lending.pseudonym("3"), "kind": "merged"}]  # fmt: skip
    lending.bring("patron_alias", alias)
    lending.loans({"loan_id": "1", "patron": "1"}, {"loan_id": "2", "patron": "3", "control_number": "2"})
    lending.upload()
    assert {line.split(",")[1] for line in lending.posthus.lines()} == {lending.borrower("3")}


# -- bad input ---------------------------------------------------------------------------------------------------------------------------


def test_loans_without_a_local_id_are_set_aside_and_mended_they_go(lending) -> None:
    lending.patrons("1")
    lending.loans(
        *({"loan_id": str(number)} for number in range(20)),
        {"loan_id": "x", "control_number": None, "item_id": "gone"},
        {"loan_id": "y", "control_number": " - "},
    )
    done = lending.upload()
    assert (done.counts.in_, done.counts.published, done.counts.quarantined) == (22, 20, 2)
    found = quarantined.find(lending.engine.ledger, delivery_id=done.id)
    assert {(one.reason, one.column, one.member) for one in found} == {
        ("VALUE_MISSING", "local_id", "loan x"),
        ("VALUE_MISSING", "local_id", "loan y"),
    }
    assert lending.upload().counts.in_ == 0
    lending.bring("item", [{"item_id": "gone", "control_number": "987", "status": "available", "placeholder": False}])
    assert lending.upload().counts.published == 1
    assert sum(len(lines.parse(line).local_ids) for line in lending.posthus.lines()) == 21


def test_local_ids_lose_their_hyphens_and_blanks_and_one_that_would_break_a_line_is_set_aside(lending) -> None:
    lending.patrons("1")
    rows = [{"loan_id": str(number), "control_number": f"5-1 23\u00a04{number}"} for number in range(10)]
    lending.loans(*rows, {"loan_id": "x", "control_number": "1,2"})
    done = lending.upload()
    assert (done.counts.published, done.counts.quarantined) == (10, 1)
    [found] = quarantined.find(lending.engine.ledger, delivery_id=done.id)
    assert found.reason == "ADHL_LOCAL_ID_SHAPE"
    assert lines.parse(lending.posthus.lines()[0]).local_ids == tuple(f"51234{number}" for number in range(10))


def test_a_birth_year_of_two_digits_is_set_aside_with_its_name(lending) -> None:
    lending.patrons(*(str(number) for number in range(20)))
    lending.patrons("old", birth_year=84)
    lending.loans(*({"loan_id": str(number), "patron": str(number)} for number in range(20)), {"loan_id": "x", "patron": "old"})
    done = lending.upload()
    assert (done.counts.published, done.counts.quarantined) == (20, 1)
    assert {reason for reason, _ in quarantined.counts(lending.engine.ledger, done.id)} == {"ADHL_BIRTH_YEAR_UNLIKELY"}
    assert "no year of birth in four digits" in lending.receipt(done)


def test_sex_and_birth_year_come_from_the_cpr_number_where_the_patron_does_not_say(lending) -> None:
    """A number that fails modulus 11, and a replacement number, tell them like any other."""
    lending.patrons("1", "2", "3", "4", gender=None, birth_year=None)
    lending.identities({"1": CPR, "2": "010190-4441", "3": "6112071234", "4": "no number"})
    lending.loans(*({"loan_id": one, "patron": one} for one in "1234"))
    done = lending.upload()
    assert done.facts["filtered"] == {"ADHL_SEX_UNKNOWN": 1}
    found = {line.split(",")[1]: line.split(",")[2:4] for line in lending.posthus.lines()}
    assert found == {lending.borrower("1"): ["k", "1990"], lending.borrower("2"): ["m", "1990"], lending.borrower("3"): ["k", "1907"]}


@pytest.mark.parametrize(("gender", "shown"), [(None, ""), ("x", ""), ("m", "m")])
def test_unknown_sex_is_filtered_or_sent_empty_as_the_library_says(lending, gender: str | None, shown: str) -> None:
    lending.patrons("1", gender=gender)
    lending.loans({"loan_id": "1"})
    first = lending.upload()
    assert first.facts["filtered"] == ({} if shown else {"ADHL_SEX_UNKNOWN": 1})
    lending.settle(unknown="send")
    lending.loans({"loan_id": "2", "control_number": "2"})
    lending.upload()
    assert lending.posthus.lines()[-1] == f"{yesterday()},{lending.borrower('1')},{shown},1984,2"


def test_loans_in_the_future_are_set_aside(lending) -> None:
    lending.patrons("1")
    lending.loans(*({"loan_id": str(number)} for number in range(20)), {"loan_id": "x", "loaned_on": today() + 9 * DAY})
    done = lending.upload()
    assert (done.counts.published, done.counts.quarantined) == (20, 1)
    assert {reason for reason, _ in quarantined.counts(lending.engine.ledger, done.id)} == {"LOAN_IN_FUTURE"}
    assert lending.upload().counts.in_ == 0
    lending.loans({"loan_id": "x", "loaned_on": today() - 2 * DAY})
    assert lending.upload().counts.published == 1
    assert [line[:8] for line in lending.posthus.lines()].count(day(2)) == 1


def test_a_loan_of_a_day_to_come_goes_when_its_day_has_come(lending) -> None:
    lending.patrons("1")
    lending.loans(*({"loan_id": str(number)} for number in range(20)), {"loan_id": "x", "loaned_on": today() + 2 * DAY})
    assert lending.upload().counts.published == 20
    with time_machine.travel(clock.now() + 3 * DAY):
        assert lending.upload().counts.published == 1


def test_a_hundred_thousand_loans_on_one_card_are_an_institutions_and_reported(lending) -> None:
    lending.patrons("1", "card")
    count = 100_000
    one = lending.loan("0", "card")
    schema = {name: pa.repeat(pa.scalar(value), count) for name, value in one.items() if value is not None}
    lending.bring(
        "loan",
        pa.table(schema | {"loan_id": [f"c{number}" for number in range(count)], "renewals": pa.repeat(pa.scalar(0, pa.int16()), count)}),
    )
    lending.loans({"loan_id": "1"})
    done = lending.upload()
    assert (done.counts.in_, done.counts.published, done.counts.filtered) == (100_001, 1, 100_000)
    assert done.facts["filtered"] == {"ADHL_TOO_MANY_LOANS": 100_000}
    assert "it must be an institution's" in lending.receipt(done)
    assert len(lending.posthus.lines()) == 1


def test_a_library_without_a_danish_number_sends_nothing(lending) -> None:
    lending.settle(agency="Almv")
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    done = lending.upload()
    assert done.state == State.FAILED and "six digits" in str(done.message)
    assert list(lending.posthus.inbox.iterdir()) == []
