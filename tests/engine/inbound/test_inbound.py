"""A delivery's life from the inbox to the lake and back to the partner."""

from __future__ import annotations

import json

import pytest

from include.engine.delivery import State
from include.engine.errors import Refused
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.ledger import gate_results, manifests, quarantined
from tests.engine.inbound import paper

GOOD = "".join(f"h{n};c{n};main;v.{n}\n" for n in range(1, 21))


def test_a_file_dropped_in_an_inbox_becomes_rows_in_the_lake_and_a_receipt(house) -> None:
    done = house.deliver("hold_1.txt", GOOD)
    assert done.state == State.ACKNOWLEDGED
    assert (done.counts.in_, done.counts.published, done.counts.added) == (20, 20, 20)
    assert [row["holding_id"] for row in house.rows()] == sorted(f"h{n}" for n in range(1, 21))
    assert house.rows()[0]["_delivery"] == done.id
    assert "20 records: 20 accepted" in house.receipt(done)
    assert "20 records: 20 accepted" in next((house.inbox / "receipts").glob("hold_1.txt.*.txt")).read_text()
    assert not (house.inbox / "hold_1.txt").exists()
    assert next((house.inbox / "archive").rglob("*_hold_1.txt")).read_text() == GOOD
    assert manifests.latest(house.engine.ledger) == {"holding": manifests.of(house.engine.ledger, done.id)[0].tables["holding"].after}


def test_what_cannot_be_read_or_breaks_a_rule_is_set_aside_with_its_bytes_and_its_neighbours_go_on(house) -> None:
    done = house.deliver("hold_1.txt", GOOD + "broken line\n;c99;main;no id\n# a comment\nh3;c3;twice;v.9\n")
    assert done.state == State.ACKNOWLEDGED
    assert (done.counts.in_, done.counts.published, done.counts.quarantined, done.counts.filtered) == (24, 20, 3, 1)
    assert done.counts.balanced()
    reasons = {code for code, _ in quarantined.counts(house.engine.ledger, done.id)}
    assert reasons == {"ROW_RAGGED", "KEY_MISSING", "DUPLICATE_KEY"}
    told = json.loads((house.engine.home / "receipts" / "lindeby" / f"{done.id}.json").read_text())
    assert {line["record"] for group in told["groups"] for line in group["lines"]} == {21, 22, 24}
    from include.engine.quarantine import store

    kept = [store.read(house.engine.home, one.blob_uri, house.engine.keys, [one.blob_row]) for one in quarantined.find(house.engine.ledger)]
    assert {table.column("raw")[0].as_py() for table in kept} == {b"broken line\n", b";c99;main;no id\n", b"h3;c3;twice;v.9\n"}
    assert next(row for row in house.rows() if row["holding_id"] == "h3")["statement"] == "v.3"


def test_too_many_bad_rows_block_the_delivery_and_the_receipt_still_goes_out(house) -> None:
    done = house.deliver("hold_1.txt", GOOD + "bad\n" * 20)
    assert done.state == State.BLOCKED
    assert (done.counts.in_, done.counts.quarantined, done.counts.held, done.counts.published) == (40, 20, 20, 0)
    assert "Not taken in" in house.receipt(done)
    assert not (house.engine.home / "lake" / "holding").exists()
    assert gate_results.of(house.engine.ledger, done.id)


def test_an_empty_file_is_refused_in_the_partners_language(house) -> None:
    house.settle(language="da")
    done = house.deliver("hold_1.txt", "")
    assert (done.state, done.reason) == (State.BLOCKED, "FILE_EMPTY")
    assert "Ikke modtaget" in house.receipt(done)


def test_the_same_bytes_under_another_name_are_a_duplicate(house) -> None:
    first = house.deliver("hold_1.txt", GOOD)
    second = house.deliver("hold_2.txt", GOOD)
    assert (second.state, second.reason) == (State.DUPLICATE, "FILE_DUPLICATE")
    assert first.id in house.receipt(second)
    assert len(house.rows()) == 20


def test_a_corrected_file_under_the_same_name_is_a_new_delivery(house) -> None:
    house.deliver("hold_1.txt", GOOD)
    done = house.deliver("hold_1.txt", GOOD.replace("v.7\n", "v.77\n"))
    assert (done.counts.changed, done.counts.unchanged) == (1, 19)


def test_a_full_export_that_would_delete_too_much_is_held(house) -> None:
    house.deliver("hold_1.txt", GOOD)
    done = house.deliver("hold_2.txt", GOOD[: len(GOOD) // 2].rpartition("\n")[0] + "\n")
    assert (done.state, done.reason) == (State.HELD, "MASS_DELETION")
    assert len(house.rows()) == 20
    assert done.counts.balanced()


def test_a_full_export_deletes_what_it_no_longer_names(house) -> None:
    house.deliver("hold_1.txt", GOOD)
    done = house.deliver("hold_2.txt", GOOD.replace("h20;c20;main;v.20\n", ""))
    assert (done.state, done.counts.deleted, done.counts.unchanged) == (State.ACKNOWLEDGED, 1, 19)
    assert len(house.rows()) == 19


def test_a_delivery_far_from_its_usual_size_is_held(house) -> None:
    house.settle(more=", records: 100..200")
    done = house.deliver("hold_1.txt", GOOD)
    assert (done.state, done.reason, done.counts.held) == (State.HELD, "RECORDS_OUT_OF_RANGE", 20)
    assert "100..200" in house.receipt(done)


def test_a_partner_in_test_gets_a_receipt_for_what_would_have_been(house) -> None:
    house.settle(status="test")
    done = house.deliver("hold_1.txt", GOOD)
    assert done.state == State.ACKNOWLEDGED
    assert "in test" in house.receipt(done)
    assert "20 new" in house.receipt(done)
    assert not (house.engine.home / "lake" / "holding").exists()


def test_a_read_only_inbox_is_left_as_it_is_and_its_files_are_not_taken_twice(house) -> None:
    house.settle(after="leave")
    done = house.deliver("hold_1.txt", GOOD)
    assert done.state == State.ACKNOWLEDGED
    assert [path.name for path in house.inbox.iterdir()] == ["hold_1.txt"]
    assert house.claimed() == []


def test_a_file_that_nobody_declared_is_refused_and_said(house) -> None:
    house.drop("notes.txt", "hello")
    [claimed] = house.claimed(later=31)
    done = house.run(claimed.id)
    assert (done.state, done.reason, done.table) == (State.BLOCKED, "FILE_UNDECLARED", "undeclared")
    assert "notes.txt" in house.receipt(done)


def test_every_step_may_run_twice(house) -> None:
    house.drop("hold_1.txt", GOOD + "bad\n")
    [claimed] = house.claimed()
    for step in (receive, receive, gate, gate, receive, gate, publish, publish, receive, gate, acknowledge, acknowledge, publish):
        step(house.engine, claimed.id, paper)
    done = house.get(claimed.id)
    assert (done.state, done.counts.in_, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 21, 20, 1)
    assert len(house.rows()) == 20
    assert sum(quarantined.counts(house.engine.ledger, done.id).values()) == 1


def test_a_blocked_delivery_that_is_cleared_is_done_again_with_todays_settings(house) -> None:
    house.settle(more=", records: 100..200")
    held = house.deliver("hold_1.txt", GOOD)
    house.settle()
    done = house.run(held.id)
    assert done.state == State.ACKNOWLEDGED


def test_deliveries_of_a_table_go_one_at_a_time_in_order_of_arrival(house) -> None:
    house.drop("hold_1.txt", GOOD)
    house.drop("hold_2.txt", GOOD.replace("v.1\n", "v.1b\n"))
    [first] = house.claimed()
    assert first.path == "hold_1.txt"
    assert house.claimed() == []
    house.run(first.id)
    [second] = house.claimed()
    assert second.path == "hold_2.txt"


def test_after_a_block_later_deliveries_wait(house) -> None:
    house.deliver("hold_1.txt", "")
    house.drop("hold_2.txt", GOOD)
    assert house.claimed() == []


def test_after_a_block_later_deliveries_go_on_where_the_yaml_says_so(house) -> None:
    house.settle(after_block="continue")
    house.deliver("hold_1.txt", "")
    assert house.deliver("hold_2.txt", GOOD).state == State.ACKNOWLEDGED


def test_a_refusal_stops_the_run_and_says_what_where_and_why(house) -> None:
    house.drop("hold_1.txt", "")
    [claimed] = house.claimed(later=31)
    with pytest.raises(Refused, match="FILE_EMPTY"):
        receive(house.engine, claimed.id, paper)
