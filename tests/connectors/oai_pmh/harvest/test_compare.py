"""The drift audit, records asked for again, and how far a repository is covered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connectors.oai_pmh.harvest import ask
from include.engine.delivery import State
from include.engine.errors import SettingsError
from include.engine.ledger import audit, windows
from include.engine.replay import answer, replay
from tests.connectors.oai_pmh.harvest.conftest import same
from tests.connectors.oai_pmh.harvest.repository import DAY, Kept, Response, made, marc


@pytest.mark.parametrize("quirks", ["", "quirks: {no_identifiers: true}"], ids=["by identifiers", "by records"])
@pytest.mark.parametrize("deletes", ["no", "transient", "persistent"])
def test_a_comparison_finds_what_was_missed_changed_and_deleted_without_a_word(house, serve, quirks: str, deletes: str) -> None:
    repository = serve(made(30), deletes=deletes)
    house.settle(repository.url, quirks)
    house.harvest()
    del repository.records[4]  # gone without a word
    repository.put(Kept("oai:test.example:old", DAY - timedelta(days=300), marc("old")))  # back-dated beyond any overlap
    repository.records[7] = replace(repository.records[7], body=marc("00008", "Ny"), datestamp=DAY - timedelta(days=1))
    repository.put(Kept("oai:test.example:00009", DAY, "", deleted=True))
    assert house.harvest().counts.in_ == 0
    done = house.harvest(moment="compare")
    assert (done.state, done.facts["warnings"]) == (State.ACKNOWLEDGED, {"OAI_VANISHED": 1})
    assert (done.counts.added, done.counts.changed) == (1, 3)
    gone = house.records().pop("oai:test.example:00004")
    assert (gone["deleted"], gone["xml"]) == (True, None)
    repository.records.append(Kept(gone["identifier"], gone["datestamp"], "", deleted=True))
    same(house, repository)
    assert {number for number, row in house.titles().items() if row["deleted"]} == {"00004", "00009"}


def test_a_list_that_lacks_very_much_waits_for_a_person(house, serve) -> None:
    repository = serve(made(30))
    house.settle(repository.url)
    house.harvest()
    kept, repository.records = repository.records, repository.records[:3]
    held = house.harvest(moment="compare")
    assert (held.state, held.reason) == (State.HELD, "MASS_DELETION")
    repository.records = kept
    same(house, repository)
    approved = answer(house.engine, held.id, yes=True, who="kirsten")
    house.claimed()
    assert house.run(approved.id).counts.changed == 27


def test_a_comparison_that_finds_nothing_changes_nothing_and_fetches_no_record(house, serve) -> None:
    repository = serve(made(30))
    house.settle(repository.url)
    house.harvest()
    asked = len(repository.requests)
    assert house.harvest(moment="compare").counts.in_ == 0
    assert {request.verb for request in repository.requests[asked:]} == {"Identify", "ListIdentifiers"}


def test_a_record_that_a_list_skips_because_another_left_its_place_is_not_taken_for_gone(house, serve) -> None:
    repository = serve(made(35))
    house.settle(repository.url)
    house.harvest()
    moved = replace(repository.records[0], body=marc("00000", "Ny"), datestamp=repository.records[34].datestamp)

    def fault(request, answer):
        if request.verb == "ListIdentifiers" and request.token and moved not in repository.records:
            repository.put(moved)  # to the end: all others move up by one, and the first of the second page is on no page
        return

    repository.fault = fault
    done = house.harvest(moment="compare")
    assert (done.state, done.facts["warnings"]) == (State.ACKNOWLEDGED, {})
    same(house, repository)


def test_a_second_list_that_breaks_off_goes_on_where_it_was(house, serve) -> None:
    repository = serve(made(35))
    house.settle(repository.url, attempts=1)
    house.harvest()
    del repository.records[4]
    lists = []

    def fault(request, answer):
        if request.verb == "ListIdentifiers":
            lists.append(request.token)
            return Response(b"", 503) if len(lists) == 6 else None
        return None

    repository.fault = fault
    failed = house.harvest(moment="compare")
    assert failed.state == State.FAILED
    done = house.run(failed.id)
    assert (done.state, done.facts["warnings"]) == (State.ACKNOWLEDGED, {"OAI_VANISHED": 1})
    assert len(lists) == 9, "four pages, two of the second list, and then the second, third and fourth of it"


def test_a_comparison_that_is_replayed_says_nothing_of_what_came_after_it(house, serve) -> None:
    repository = serve(made(30))
    house.settle(repository.url)
    house.harvest()
    del repository.records[4]
    compared = house.harvest(moment="compare")
    assert compared.facts["warnings"] == {"OAI_VANISHED": 1}
    repository.put(Kept("oai:test.example:new", repository.now(), marc("new")))
    house.harvest()
    again = replay(house.engine, compared.id, who="kirsten")
    house.claimed()
    assert house.run(again.id).state == State.ACKNOWLEDGED
    assert not house.records()["oai:test.example:new"]["deleted"]


def test_a_comparison_asks_for_nothing_that_is_older_than_since_and_leaves_it_as_it_is(house, serve) -> None:
    repository = serve([*made(10), *(Kept(f"oai:test.example:old{n}", DAY - timedelta(days=400), marc(f"old{n}")) for n in range(3))])
    house.settle(repository.url)
    house.harvest()
    repository.put(Kept("oai:test.example:older", DAY - timedelta(days=500), marc("older")))
    house.settle(repository.url, "since: 2026-01-01")
    asked = len(repository.requests)
    done = house.harvest(moment="compare")
    assert (done.counts.in_, done.facts["warnings"]) == (0, {})
    lists = [
        request.params.get("from") for request in repository.requests[asked:] if request.verb == "ListIdentifiers" and not request.token
    ]
    assert lists == ["2026-01-01T00:00:00Z"]
    assert not any(row["deleted"] for row in house.records().values())


def test_the_comparison_has_a_schedule_of_its_own(house, serve) -> None:
    repository = serve(made(3))
    house.settle(repository.url, 'compare: "monthly 1 03:00"', schedule="monthly 2 02:00")
    assert house.claimed() == []
    house.ahead = timedelta(days=32)
    [first] = house.claimed()
    found = {first.facts["moment"]}
    house.run(first.id)
    [second] = house.claimed()
    found.add(second.facts["moment"])
    assert found == {"schedule", "compare"}
    assert house.run(second.id).state == State.ACKNOWLEDGED


def test_records_come_again_by_their_identifiers(house, serve) -> None:
    repository = serve(made(30))
    house.settle(repository.url)
    house.harvest()
    repository.records[3] = replace(repository.records[3], body=marc("00003", "Utan ny stämpel"))
    wanted = ["oai:test.example:00003", "oai:test.example:00004", "oai:test.example:nobody"]
    made_ = ask.reload(house.engine, "almvik", identifiers=wanted, who="kirsten")
    house.claimed()
    done = house.run(made_.id)
    assert (done.counts.in_, done.counts.changed, done.counts.unchanged, done.counts.quarantined) == (3, 1, 1, 1)
    assert "oai:test.example:nobody" in house.receipt(done)
    same(house, repository)
    assert audit.find(house.engine.ledger, subject=done.id)[0].who == "kirsten"


def test_a_window_comes_again(house, serve) -> None:
    repository = serve(made(30))
    house.settle(repository.url)
    house.harvest()
    again = ask.reload(house.engine, "almvik", begin=DAY + timedelta(minutes=10), until=DAY + timedelta(minutes=19), who="kirsten")
    house.claimed()
    assert house.run(again.id).counts.unchanged == 10


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026-03-01", "2026-03-01T00:00:00+00:00", "2026-03-01T23:59:59+00:00"),
        (" 2026-03-01T06:00 ", "2026-03-01T06:00:00+00:00", "2026-03-01T06:00:00+00:00"),
        ("2026-03-01T06:00+02:00", "2026-03-01T06:00:00+02:00", "2026-03-01T06:00:00+02:00"),
    ],
)
def test_a_day_belongs_to_its_window_as_a_whole(text: str, first: str, last: str) -> None:
    found = ask.moment_of(text), ask.moment_of(text, last=True)
    assert [at.isoformat() for at in found if at] == [first, last]
    assert ask.moment_of(" ", last=True) is None


def test_identifiers_and_a_window_do_not_go_together(house, serve) -> None:
    house.settle(serve(made(1)).url)
    with pytest.raises(SettingsError, match="do not go together"):
        ask.reload(house.engine, "almvik", identifiers=["x"], begin=DAY, who="kirsten")


def test_coverage_shows_until_when_all_is_there_and_where_a_gap_is(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url)
    first = house.harvest()
    [report] = ask.coverage(house.engine, "almvik")
    [window] = windows.of_delivery(house.engine.ledger, first.id)
    assert (report.series, report.until, report.gaps) == ("marcxml", window.until_at, [])
    late = ask.reload(house.engine, "almvik", begin=window.until_at + timedelta(days=2), until=window.until_at + timedelta(days=3), who="x")
    house.claimed()
    house.run(late.id)
    [report] = ask.coverage(house.engine, "almvik")
    assert report.until == window.until_at
    assert report.gaps == [(window.until_at, window.until_at + timedelta(days=2))]


def test_a_failed_windows_reason_stands_in_the_report(house, serve) -> None:
    repository = serve(made(25))
    repository.fault = lambda request, answer: Response(b"<html/>") if request.token else None
    house.settle(repository.url)
    house.harvest()
    [report] = ask.coverage(house.engine, "almvik")
    assert (report.until, report.windows[0].reason, report.windows[0].attempts) == (None, "OAI_PAGE_HTML", 1)
