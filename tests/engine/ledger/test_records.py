"""The ledger's smaller books: gate results, manifests, schedules, receipts, erasures, notices, copies, the audit."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import timedelta

import pytest

from include.engine import clock
from include.engine.ledger import Ledger, audit, copies, deliveries, erased, gate_results, manifests, notices, receipts, schedules
from include.engine.ledger.manifests import Versions
from include.engine.ledger.notices import Notice
from tests.engine.ledger.conftest import START, MakeDelivery


@dataclass(frozen=True)
class RuleResult:
    rule: str
    severity: str = "quarantine"
    reason: str | None = "LOAN_IN_FUTURE"
    checked: int = 10
    failed: int = 1
    passed: bool = True


@pytest.fixture
def id(ledger: Ledger, new: MakeDelivery) -> str:
    return deliveries.see(ledger, new()).id


def test_gate_results_keep_the_order_of_the_contract_and_the_last_try(ledger: Ledger, id: str) -> None:
    gate_results.add(ledger, id, "lake", "loan", "1.2.0", [RuleResult("z"), RuleResult("a")])
    gate_results.add(ledger, id, "incoming", "ils_loan", "1.0.0", [RuleResult("old"), RuleResult("older")])
    gate_results.add(ledger, id, "incoming", "ils_loan", "1.0.0", [RuleResult("rows", "block", None, 1, 1, False)])
    found = gate_results.of(ledger, id)
    assert [(row.gate, row.rule) for row in found] == [("incoming", "rows"), ("lake", "z"), ("lake", "a")]
    assert (found[0].severity, found[0].reason, found[0].checked, found[0].failed, found[0].passed) == ("block", None, 1, 1, False)


def test_a_gate_without_rules_has_no_results(ledger: Ledger, id: str) -> None:
    gate_results.add(ledger, id, "lake", "loan", "1.2.0", [])
    assert gate_results.of(ledger, id) == []


def test_readers_get_the_newest_pinned_version_of_each_table(ledger: Ledger, new: MakeDelivery) -> None:
    one, two = (deliveries.see(ledger, new()).id for _ in range(2))
    assert manifests.latest(ledger) == {}
    manifests.pin(ledger, two, {"loan": Versions(4, 5)})
    manifests.pin(ledger, one, {"loan": Versions(3, 4), "item": Versions(None, 0)})
    manifests.pin(ledger, None, {"item": Versions(0, 1)})
    assert manifests.latest(ledger) == {"item": 1, "loan": 5}
    assert manifests.changed_by(ledger, "loan", 4) == one
    assert manifests.changed_by(ledger, "item", 1) is None
    assert manifests.changed_by(ledger, "loan", 99) is None


def test_a_manifest_pinned_twice_is_one_and_a_retraction_is_another(ledger: Ledger, id: str) -> None:
    published = manifests.pin(ledger, id, {"loan": Versions(3, 4)})
    assert manifests.pin(ledger, id, {"loan": Versions(3, 4)}) == published
    retracted = manifests.pin(ledger, id, {"loan": Versions(4, 5)})
    assert manifests.of(ledger, id) == [published, retracted]


def test_an_unchanged_table_may_be_pinned_by_several_deliveries(ledger: Ledger, new: MakeDelivery) -> None:
    for _ in range(2):
        manifests.pin(ledger, deliveries.see(ledger, new()).id, {"loan": Versions(4, 4)})
    assert manifests.latest(ledger) == {"loan": 4}


def test_a_delivery_that_changed_no_table_has_an_empty_manifest(ledger: Ledger, id: str) -> None:
    assert manifests.pin(ledger, id, {}).tables == {}


def test_a_moment_of_a_schedule_is_taken_once(ledger: Ledger) -> None:
    place = ("aarhus", "adhl_upload", "monday 03:00")
    assert schedules.get(ledger, *place) is None
    taken: list[bool] = []
    threads = [threading.Thread(target=lambda: taken.append(schedules.mark(ledger, *place, START))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(taken) == [False] * 5 + [True]
    assert not schedules.mark(ledger, *place, START - timedelta(hours=1))
    assert schedules.mark(ledger, *place, START + timedelta(days=7), note="missed by 2 h")
    assert (state := schedules.get(ledger, *place)) is not None and (state.last_due_at, state.note) == (
        START + timedelta(days=7),
        "missed by 2 h",
    )
    assert schedules.find(ledger, partner="aarhus") == schedules.find(ledger) == [state]


def test_a_receipt_is_written_once_and_sent_once(ledger: Ledger, id: str) -> None:
    receipts.add(ledger, id, "html", "file:receipts/a.html", "da")
    receipts.add(ledger, id, "mail", "file:receipts/a.eml", "da", sent_at=START)
    assert receipts.mark_sent(ledger, id, "html", "file:receipts/a.html", START)
    assert not receipts.mark_sent(ledger, id, "html", "file:receipts/a.html", START + timedelta(hours=1))
    receipts.add(ledger, id, "html", "file:receipts/a.html", "sv")
    assert [(row.kind, row.language, row.sent_at) for row in receipts.of(ledger, id)] == [("html", "sv", START), ("mail", "da", START)]


def test_whom_was_erased_is_known_by_pseudonym_and_partner(ledger: Ledger) -> None:
    erased.add(ledger, "aarhus", "p1", "file:certificate-1")
    erased.add(ledger, "aarhus", "p1", "file:certificate-2")
    erased.add(ledger, "lindeby", "p2", "file:certificate-3")
    assert erased.among(ledger, "aarhus", ["p1", "p2", "p3"]) == {"p1"}
    assert [row.certificate_uri for row in erased.of(ledger, "aarhus")] == ["file:certificate-2"]


def test_notices_that_stay_keep_their_time_and_mended_ones_go(ledger: Ledger) -> None:
    lasting, mended = Notice("aarhus", "aarhus.yaml", 3, "no such profile"), Notice("aarhus", "aarhus.yaml", None, "empty")
    notices.replace(ledger, [lasting, mended])
    assert [row.line for row in notices.find(ledger)] == [None, 3]
    since = notices.find(ledger)[1].at
    notices.replace(ledger, [lasting, Notice("lindeby", "lindeby.yaml", 1, "not YAML")])
    first, second = notices.find(ledger)
    assert (first.message, first.at, second.partner) == ("no such profile", since, "lindeby")
    assert notices.find(ledger, partner="lindeby") == [second]
    notices.replace(ledger, [])
    assert notices.find(ledger) == []


def test_copies_are_known_until_they_are_gone(ledger: Ledger, id: str) -> None:
    copies.add(ledger, id, ["file:bi/snapshots/7/loan", "ftp://posthus/datain/a_b"])
    copies.add(ledger, id, ["ftp://posthus/datain/a_b"])
    copies.add(ledger, id, [])
    assert len(copies.find(ledger, delivery_id=id)) == 2
    assert [row.uri for row in copies.find(ledger, uri_starts="ftp://posthus/datain/a_")] == ["ftp://posthus/datain/a_b"]
    assert copies.find(ledger, uri_starts="ftp://posthus/datain/a%") == []
    assert copies.find(ledger, before=clock.now() - timedelta(days=1)) == []
    assert copies.forget(ledger, id, "ftp://posthus/datain/a_b")
    assert not copies.forget(ledger, id, "ftp://posthus/datain/a_b")
    assert len(copies.find(ledger)) == 1


def test_the_audit_says_who_did_what_newest_first(ledger: Ledger, id: str) -> None:
    audit.record(ledger, "anne", "replay", id, {"reason": "LOAN_IN_FUTURE"})
    audit.record(ledger, "anne", "dismiss", id)
    audit.record(ledger, "retention", "destroy key", "k1")
    assert [entry.action for entry in audit.find(ledger)] == ["destroy key", "dismiss", "replay"]
    assert [entry.action for entry in audit.find(ledger, who="anne", subject=id, limit=1)] == ["dismiss"]
    assert audit.find(ledger, action="replay")[0].detail == {"reason": "LOAN_IN_FUTURE"}
    assert audit.find(ledger, since=clock.now() + timedelta(hours=1)) == []
