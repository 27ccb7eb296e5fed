"""Loans go to posthus once, as lines that only posthus can read, and nothing that names a person goes anywhere."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pyarrow as pa
import pytest
import time_machine

from connectors.adhl import outbound
from connectors.adhl.upload import lines, transfile
from connectors.adhl.upload.__main__ import forget
from include.engine.delivery import State
from include.engine.errors import Refused
from include.engine.ledger import copies, parts, quarantined
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from include.engine.replay import replay
from include.engine.retract import retract
from tests.connectors.adhl.upload.conftest import CPR, DAY, TODAY
from tests.engine.crypto.envelope.keys import certificate, openpgp_revoked, revocation_list

YESTERDAY = f"{TODAY - DAY:%Y%m%d}"


def day(days: int) -> str:
    return f"{TODAY - days * DAY:%Y%m%d}"


def test_a_loan_becomes_a_line_that_posthus_decrypts(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "4711"})
    done = lending.upload()
    assert (done.state, done.counts.in_, done.counts.published) == (State.ACKNOWLEDGED, 1, 1)
    assert lending.posthus.lines() == [f"{YESTERDAY},{lending.borrower('1')},k,1984,12345678"]
    assert list(lending.posthus.inbox.iterdir()) == [] and lending.posthus.mails == []
    assert "1 records: 1 sent" in lending.receipt(done)


@pytest.mark.parametrize("encryption", ["openpgp", "cms"])
@pytest.mark.parametrize(("grouping", "expected"), [("one_title", ["a1", "b2", "c3"]), ("many_titles", ["a1,b2", "c3"])])
def test_both_forms_and_both_encryptions_arrive(lending, encryption: str, grouping: str, expected: list[str]) -> None:
    lending.settle(encryption=encryption, grouping=grouping)
    lending.patrons("1")
    lending.loans(
        {"loan_id": "1", "control_number": "b2"}, {"loan_id": "2", "control_number": "a1"},
        {"loan_id": "3", "control_number": "c3", "loaned_on": TODAY},
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
    lending.loans({"loan_id": "0", "loaned_on": TODAY - 200 * DAY}, {"loan_id": "1", "returned_on": TODAY})
    late = lending.upload()
    assert (late.counts.in_, late.counts.published) == (1, 1)
    assert lending.upload().counts.in_ == 0
    assert [line[:8] for line in lending.posthus.lines()] == [YESTERDAY, day(200)]


def test_how_late_and_since_when_are_settings(lending) -> None:
    lending.patrons("1")
    lending.settle(late="30 days")
    lending.loans({"loan_id": "1"}, {"loan_id": "2", "loaned_on": TODAY - 31 * DAY})
    assert lending.upload().counts.in_ == 1
    lending.settle(since=str(TODAY - 300 * DAY))
    lending.loans({"loan_id": "3", "loaned_on": TODAY - 301 * DAY})
    assert lending.upload().counts.in_ == 1
    assert [line[:8] for line in lending.posthus.lines()] == [YESTERDAY, day(31)]


def test_a_loan_waits_for_its_patron_and_is_counted_once_meanwhile(lending) -> None:
    lending.loans({"loan_id": "1"})
    first = lending.upload()
    assert (first.counts.in_, first.facts["filtered"]) == (1, {"ADHL_PATRON_UNKNOWN": 1})
    assert lending.upload().counts.in_ == 0
    lending.patrons("1", gender=None)
    assert lending.upload().facts["filtered"] == {"ADHL_SEX_UNKNOWN": 1}
    lending.patrons("1", gender="m")
    assert lending.upload().counts.published == 1
    assert lending.posthus.lines() == [f"{YESTERDAY},{lending.borrower('1')},m,1984,12345678"]


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
    assert lending.posthus.lines()[-1] == f"{YESTERDAY},{lending.borrower('1')},{shown},1984,2"


def test_loans_in_the_future_are_set_aside(lending) -> None:
    lending.patrons("1")
    lending.loans(*({"loan_id": str(number)} for number in range(20)), {"loan_id": "x", "loaned_on": TODAY + 9 * DAY})
    done = lending.upload()
    assert (done.counts.published, done.counts.quarantined) == (20, 1)
    assert {reason for reason, _ in quarantined.counts(lending.engine.ledger, done.id)} == {"LOAN_IN_FUTURE"}


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


# -- keys --------------------------------------------------------------------------------------------------------------------------------


def test_while_keys_rotate_either_opens_the_file(lending) -> None:
    for encryption in ("openpgp", "cms"):
        lending.settle(encryption=encryption, keys=[encryption, f"{encryption}_new"])
        lending.posthus.secrets = {encryption: lending.keys[f"{encryption}_new"].secret}
        lending.patrons("1")
        lending.loans({"loan_id": encryption})
        assert lending.upload().counts.published == 1
    assert len(lending.posthus.lines()) == 2


def test_a_key_that_may_not_be_used_stops_it_before_a_byte_leaves_and_mended_it_goes(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    good = lending.keys["cms"]
    bad = {"RECIPIENT_EXPIRED": certificate("old", -9, -1), "RECIPIENT_WRONG": lending.keys["cms_new"]}
    for code, key in bad.items():
        lending.settle(encryption="cms")
        if code == "RECIPIENT_EXPIRED":
            lending.keys["cms"] = key
            lending.settle(encryption="cms")
        else:
            lending.key("cms", key)
        blocked = lending.upload()
        assert (blocked.state, blocked.reason) == (State.BLOCKED, code)
        assert "Nothing was sent" in lending.receipt(blocked)
        lending.keys["cms"] = good
    assert copies.find(lending.engine.ledger) == [] and list(lending.posthus.inbox.iterdir()) == []
    lending.settle(encryption="cms")
    assert lending.run(blocked.id).state == State.ACKNOWLEDGED


def test_a_revoked_key_stops_it(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    lending.settle(encryption="cms")
    lending.key("cms", lending.keys["cms"], crl=revocation_list(lending.keys["cms"], lending.keys["cms"]).decode())
    assert lending.upload().reason == "RECIPIENT_REVOKED"
    lending.keys["openpgp"] = openpgp_revoked()
    lending.settle()
    assert lending.upload().reason == "RECIPIENT_REVOKED"
    assert copies.find(lending.engine.ledger) == []


def test_a_key_that_is_exchanged_after_the_file_was_encrypted_stops_it_too(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    made = lending.begun()
    select(lending.engine, made.id, outbound)
    render(lending.engine, made.id, outbound)
    lending.settle(keys=["openpgp_new"])
    with pytest.raises(Refused, match="clear the task render"):
        send(lending.engine, made.id, outbound)
    assert copies.find(lending.engine.ledger) == [] and list(lending.posthus.inbox.iterdir()) == []


# -- epochs ------------------------------------------------------------------------------------------------------------------------------


def test_a_patron_keeps_one_pseudonym_for_an_epoch_and_has_another_in_the_next(lending) -> None:
    lending.settle(epoch="month")
    lending.patrons("1")
    for number, at in enumerate(
        [datetime(2027, 3, 5, tzinfo=UTC), datetime(2027, 3, 31, 12, tzinfo=UTC), datetime(2027, 4, 1, 12, tzinfo=UTC)]
    ):
        with time_machine.travel(at):
            lending.loans({"loan_id": str(number), "loaned_on": at.date()})
            done = lending.upload()
            assert parts.of(lending.engine.ledger, done.id)[0].facts["epoch"] == f"{at:%Y-%m}"
    names = [line.split(",")[1] for line in lending.posthus.lines()]
    assert names[0] == names[1] != names[2]
    assert names[0] == lending.borrower("1", "2027-03") and names[2] == lending.borrower("1", "2027-04")


def test_an_epochs_key_can_be_destroyed_and_the_next_upload_has_other_pseudonyms(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    lending.upload()
    assert forget(lending.engine, "lindeby", f"{TODAY:%Y}", who="kirsten") == 1
    assert forget(lending.engine, "lindeby", "1999", who="kirsten") == 0
    lending.loans({"loan_id": "2", "control_number": "2"})
    assert lending.upload().state == State.ACKNOWLEDGED
    before, after = (line.split(",")[1] for line in lending.posthus.lines())
    assert before != after == lending.borrower("1")


# -- persons -----------------------------------------------------------------------------------------------------------------------------


def test_a_cpr_number_is_in_no_file_log_or_database_that_the_flow_touches(lending, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    lending.patrons("1", "2", gender=None, birth_year=None)
    lending.identities({"1": CPR, "2": "010190-4441"})
    before = set(lending.files())
    lending.loans({"loan_id": "1"}, {"loan_id": "2", "patron": "2", "control_number": None})
    made = lending.begun()
    select(lending.engine, made.id, outbound)
    seen = lending.files()
    render(lending.engine, made.id, outbound)
    seen |= lending.files()
    send(lending.engine, made.id, outbound)
    seen |= lending.files()
    confirm(lending.engine, made.id, outbound)
    lending.posthus.look()
    seen |= lending.files()
    canaries = [CPR, f"{CPR[:6]}-{CPR[6:]}", "0101904441", "010190-4441"]
    lake = {path for path in before if "/lake/patron_identity/" in path}
    told = " ".join([caplog.text, json.dumps(lending.get(made.id).facts), lending.receipt(lending.get(made.id))])
    for canary in canaries:
        assert canary not in told
        assert [path for path, content in seen.items() if path not in lake and canary.encode() in content] == []
    assert [path for path, content in seen.items() if path in lake and any(one.encode() in content for one in canaries)], (
        "the canaries can be found"
    )
    assert len(lending.posthus.lines()) == 1


def test_pseudonyms_and_lines_lie_nowhere_in_the_house_unsealed(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    made = lending.begun()
    select(lending.engine, made.id, outbound)
    render(lending.engine, made.id, outbound)
    canary = lending.borrower("1").encode()
    assert [path for path, content in lending.files().items() if canary in content] == []
    assert lending.pseudonym("1") != lending.borrower("1")


def test_what_left_is_known_to_an_erasure(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    done = lending.upload()
    found = sorted(one.uri for one in copies.find(lending.engine.ledger, delivery_id=done.id))
    assert found == [f"ftp://posthus/datain/799001.adhl.{TODAY:%Y%m%d}.{done.id[-8:]}.{end}" for end in ("pgp", "trans")]


# -- the rest of a delivery's life -------------------------------------------------------------------------------------------------------


def test_in_status_test_nothing_leaves(lending) -> None:
    lending.settle(status="test", language="da")
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    done = lending.upload()
    assert done.state == State.ACKNOWLEDGED and done.facts["would_send"]["parts"] == 2
    assert list(lending.posthus.inbox.iterdir()) == [] and lending.posthus.lines() == []
    assert "I er i test" in lending.receipt(done)


def test_a_replay_sends_the_same_loans_under_a_new_name_and_a_retraction_makes_them_due(lending) -> None:
    lending.patrons("1")
    lending.loans({"loan_id": "1", "loaned_on": TODAY - 399 * DAY})
    first = lending.upload()
    lending.settle(late="10 days")
    again = replay(lending.engine, first.id, who="kirsten")
    lending.claimed()
    assert lending.run(again.id).counts.published == 1
    lending.settle()
    retract(lending.engine, first.id, who="kirsten")
    assert lending.upload().counts.published == 1
    lending.posthus.look()
    assert len(lending.posthus.lines()) == 3 and len(set(lending.posthus.transfers)) == 3


def test_without_loans_nothing_is_sent(lending) -> None:
    done = lending.upload()
    assert (done.state, done.counts.in_) == (State.ACKNOWLEDGED, 0)
    assert lending.posthus.transfers == [] and "Nothing was due" in lending.receipt(done)


def test_the_transfile_says_what_the_yaml_says(lending) -> None:
    lending.settle(posthus=", b: danbib, t: lin, o: adhl2, m: drift@lindeby.example")
    lending.posthus.faults = {"idle"}
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    lending.upload()
    [trans] = lending.posthus.inbox.glob("*.trans")
    assert re.fullmatch(r"799001\.adhl\.\d{8}\.[0-9a-f]{8}\.trans", trans.name)
    expected = f"b=danbib,f={trans.name.replace('.trans', '.pgp')},t=lin,c=latin-1,o=adhl2,m=drift@lindeby.example\nslut\n"
    assert trans.read_text() == expected
    assert transfile.parse(trans.read_bytes())[0]["b"] == "danbib"
