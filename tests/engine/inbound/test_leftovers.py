"""What dead and overtaken tries leave goes when the delivery ends; what was done before they died counts."""

from __future__ import annotations

import json

import pytest

from include.engine.delivery import State
from include.engine.errors import StaleToken, Unreachable
from include.engine.inbound import publish as publish_step
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.ending import ending
from include.engine.inbound.gate import gate
from include.engine.inbound.leftovers import sweep
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.ledger import claims, manifests, quarantined
from tests.engine.inbound import paper

GOOD = "".join(f"h{n};c{n};main;v.{n}\n" for n in range(1, 21))


def test_what_tries_left_that_died_goes_with_the_acknowledgement(house) -> None:
    house.drop("hold_1.txt", GOOD + "bad\n")
    [claimed] = house.claimed()
    receive(house.engine, claimed.id, paper)
    folders = {name: house.engine.home / name / "lindeby" / claimed.id for name in ("landing", "staging", "quarantine")}
    kept = {name: sorted(path.name for path in folders[name].iterdir()) for name in ("landing", "quarantine")}
    for name, file in (("landing", ".0123.part"), ("quarantine", "000009-gate-0.sealed"), ("quarantine", ".000009-gate-1.sealed.77.part")):
        (folders[name] / file).write_bytes(b"left")
    gate(house.engine, claimed.id, paper)
    publish(house.engine, claimed.id, paper)
    acknowledge(house.engine, claimed.id, paper)
    assert {name: sorted(path.name for path in folders[name].iterdir()) for name in kept} == kept
    assert not folders["staging"].exists()


def test_a_million_records_set_aside_are_not_read_to_know_the_few_files_that_they_lie_in(house, monkeypatch) -> None:
    done = house.deliver("hold_1.txt", GOOD + "bad\n")
    folder = house.engine.home / "quarantine" / "lindeby" / done.id
    kept = sorted(folder.iterdir())
    (folder / "000009-gate-0.sealed").write_bytes(b"left")
    monkeypatch.setattr(quarantined, "find", lambda *_, **__: pytest.fail("each of them was read"))
    sweep(house.engine, done)
    assert sorted(folder.iterdir()) == kept != []


def test_a_try_that_was_overtaken_takes_its_own_files_away_and_no_others(house) -> None:
    house.drop("hold_1.txt", GOOD + "bad\n")
    [claimed] = house.claimed()
    receive(house.engine, claimed.id, paper)
    stale = claims.take(house.engine.ledger, claimed.id, "gate")
    quarantine = house.engine.home / "quarantine" / "lindeby" / claimed.id
    before = list(quarantine.iterdir())
    with pytest.raises(StaleToken), ending(house.engine, stale):
        (quarantine / f"{stale.value:06d}-gate-0.sealed").write_bytes(b"mine")
        gate(house.engine, claimed.id, paper)
        claims.check(house.engine.ledger, stale)
    assert list(quarantine.iterdir()) == before
    assert house.run(claimed.id).state == State.ACKNOWLEDGED


def test_a_gate_done_twice_counts_its_warnings_once(house, monkeypatch) -> None:
    def warning(work):
        return lambda table, rows: [type(one)(one.table, one.rows, {"UNKNOWN_ITEM": 2}) for one in bind(work)(table, rows)]

    bind = paper.binder
    monkeypatch.setattr(paper, "binder", warning)
    house.drop("hold_1.txt", GOOD)
    [claimed] = house.claimed()
    receive(house.engine, claimed.id, paper)
    gate(house.engine, claimed.id, paper)
    once = house.get(claimed.id).counts
    gate(house.engine, claimed.id, paper)
    assert house.get(claimed.id).counts == once
    assert once.warnings >= 2


def test_trouble_that_is_over_is_in_no_receipt(house, monkeypatch) -> None:
    house.drop("hold_1.txt", GOOD)
    [claimed] = house.claimed()
    receive(house.engine, claimed.id, paper)
    gate(house.engine, claimed.id, paper)
    with monkeypatch.context() as patched:
        patched.setattr(publish_step, "publish_table", _busy)
        with pytest.raises(Unreachable):
            publish(house.engine, claimed.id, paper)
    assert house.get(claimed.id).reason == "LAKE_BUSY"
    done = house.run(claimed.id)
    assert (done.state, done.reason, done.message) == (State.ACKNOWLEDGED, None, None)
    told = json.loads((house.engine.home / "receipts" / "lindeby" / f"{done.id}.json").read_text())
    assert (told["reason"], told["advice"]) == (None, "")


def test_a_table_that_a_given_up_publish_had_committed_to_is_pinned_when_it_is_done_again(house, monkeypatch) -> None:
    house.drop("hold_1.txt", GOOD)
    [claimed] = house.claimed()
    receive(house.engine, claimed.id, paper)
    gate(house.engine, claimed.id, paper)
    with monkeypatch.context() as patched:
        patched.setattr(manifests, "pin", _busy)
        with pytest.raises(Unreachable):
            publish(house.engine, claimed.id, paper)
    acknowledge(house.engine, claimed.id, paper)
    assert house.get(claimed.id).state == State.FAILED
    monkeypatch.setattr(paper, "binder", lambda work: lambda table, rows: [])  # judged again, it has nothing new for the table
    done = house.run(claimed.id)
    assert done.state == State.ACKNOWLEDGED
    assert (done.facts["tables"], set(manifests.latest(house.engine.ledger))) == ({}, {"holding"})
    assert len(house.rows()) == done.counts.added == 20
    assert quarantined.counts(house.engine.ledger, done.id) == {}


def _busy(*_args, **_more):
    raise Unreachable("busy", code="LAKE_BUSY")
