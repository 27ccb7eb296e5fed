"""Only posthus can read what goes to it: keys, epochs, and nothing that names a person; and the rest of an upload's life."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime

import pytest
import time_machine

from connectors.adhl import outbound
from connectors.adhl.upload import transfile
from connectors.adhl.upload.__main__ import forget
from include.engine import clock
from include.engine.delivery import State
from include.engine.errors import Refused
from include.engine.ledger import copies, parts
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from include.engine.replay import replay
from include.engine.retract import retract
from tests.connectors.adhl.upload.conftest import CPR, DAY, today
from tests.engine.crypto.envelope.keys import certificate, openpgp_revoked, revocation_list


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
    assert forget(lending.engine, "lindeby", f"{today():%Y}", who="kirsten") == 1
    assert forget(lending.engine, "lindeby", "1999", who="kirsten") == 0
    lending.loans({"loan_id": "2", "control_number": "2"})
    last = lending.upload()
    assert last.state == State.ACKNOWLEDGED
    [fresh] = lending.engine.keys.find("pseudonym-adhl", f"lindeby/{today():%Y}")
    assert parts.of(lending.engine.ledger, last.id)[0].facts["key_id"] == fresh
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
    there = clock.day_in("Europe/Copenhagen", clock.now())  # late in the evening of UTC the library has the next day
    assert found == [f"ftp://posthus/datain/799001.adhl.{there:%Y%m%d}.{done.id[-8:]}.{end}" for end in ("pgp", "trans")]


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
    lending.loans({"loan_id": "1", "loaned_on": today() - 399 * DAY})
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
