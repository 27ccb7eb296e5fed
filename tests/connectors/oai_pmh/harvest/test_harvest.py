"""A harvest from a repository that keeps to the standard, all the way into the lake."""

from __future__ import annotations

from datetime import timedelta

import pytest

from include.engine.delivery import State
from include.engine.ledger import windows
from tests.connectors.oai_pmh.harvest.conftest import same
from tests.connectors.oai_pmh.harvest.repository import DAY, Kept, made, marc


@pytest.mark.parametrize("granularity", ["second", "day"])
def test_all_records_come_into_the_lake_as_they_are_and_become_titles(house, serve, granularity: str) -> None:
    repository = serve(made(25), granularity=granularity)
    house.settle(repository.url)
    done = house.harvest()
    assert (done.state, done.counts.in_, done.counts.published, done.counts.added) == (State.ACKNOWLEDGED, 25, 25, 25)
    same(house, repository)
    assert len(house.titles()) == 25
    title = house.titles()["00007"]
    assert (title["title"], title["agency"], title["year"], title["language"]) == ("Åskan & ön 00007", "SE-Test", 2019, "swe")
    assert house.records()["oai:test.example:00007"]["control_number"] == "00007"
    [window] = windows.of_delivery(house.engine.ledger, done.id)
    assert (window.state, window.from_at, window.figures["unique"], window.covered) == ("fetched", None, 25, True)


def test_the_next_window_begins_where_everything_is_covered_and_reaches_back(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url, overlap="2 h")
    first = house.harvest()
    repository.put(Kept("oai:test.example:00002", repository.now(), marc("00002", "Nyare"), ()))
    repository.put(Kept("oai:test.example:new", repository.now(), marc("99999"), ()))
    second = house.harvest()
    [before], [window] = (windows.of_delivery(house.engine.ledger, one.id) for one in (first, second))
    assert window.from_at == before.until_at - timedelta(hours=2)
    assert repository.requests[-1].params["from"] == f"{window.from_at:%Y-%m-%dT%H:%M:%SZ}"
    assert (second.counts.in_, second.counts.added, second.counts.changed) == (2, 1, 1)
    same(house, repository)


def test_a_deleted_record_becomes_a_tombstone_and_its_title_is_marked_deleted(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url)
    house.harvest()
    repository.put(Kept("oai:test.example:00003", repository.now(), "", (), deleted=True))
    repository.put(Kept("oai:test.example:never-seen", repository.now(), "", (), deleted=True))
    house.harvest()
    same(house, repository)
    assert [number for number, row in house.titles().items() if row["deleted"]] == ["00003"]
    repository.put(Kept("oai:test.example:00003", repository.now(), marc("00003"), ()))
    house.harvest()
    assert not house.titles()["00003"]["deleted"]
    same(house, repository)


def test_a_record_that_gets_another_number_leaves_no_title_behind(house, serve) -> None:
    repository = serve(made(3))
    house.settle(repository.url)
    house.harvest()
    repository.put(Kept("oai:test.example:00001", repository.now(), marc("77777")))
    house.harvest()
    assert {number: row["deleted"] for number, row in house.titles().items()} == {
        "00000": False, "00001": True, "00002": False, "77777": False,
    }  # fmt: skip


def test_a_number_that_moves_to_another_record_stays_alive(house, serve) -> None:
    repository = serve(made(3))
    house.settle(repository.url)
    house.harvest()
    repository.put(Kept("oai:test.example:00001", repository.now(), "", deleted=True))
    repository.put(Kept("oai:test.example:again", repository.now(), marc("00001")))
    house.harvest()
    assert not house.titles()["00001"]["deleted"]


def test_nothing_new_is_an_empty_harvest_that_succeeds_and_is_covered(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url)
    house.harvest()
    done = house.harvest()
    assert (done.state, done.counts.in_) == (State.ACKNOWLEDGED, 0)
    assert windows.of_delivery(house.engine.ledger, done.id)[0].covered
    same(house, repository)
    repository.records = []
    assert house.harvest().state == State.ACKNOWLEDGED
    assert len(house.records()) == 5, "an empty list deletes nothing"


def test_each_set_is_a_series_of_its_own_and_a_record_in_two_comes_once(house, serve) -> None:
    records = made(12)
    for number, one in enumerate(records):
        one.sets = ("a",) if number % 3 == 0 else ("b",) if number % 3 == 1 else ("a", "b")
    repository = serve([*records, Kept("oai:test.example:other", DAY, marc("other"), ("c",))])
    house.settle(repository.url, "sets: [a, b]")
    done = house.harvest()
    assert (done.counts.in_, done.counts.filtered, done.counts.added) == (16, 4, 12)
    assert set(house.records()) == {one.identifier for one in records}
    assert {one.series for one in windows.of_delivery(house.engine.ledger, done.id)} == {"marcxml a", "marcxml b"}


def test_a_delivery_that_is_not_published_leaves_a_gap_that_the_next_one_fills(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url)
    house.harvest()
    bad = [Kept(f"oai:test.example:bad{n}", repository.now(), "") for n in range(12)]  # no metadata, and not deleted
    for one in bad:
        repository.put(one)
    blocked = house.harvest()
    assert (blocked.state, blocked.reason) == (State.BLOCKED, "TOO_MANY_SET_ASIDE")
    for one in bad:
        one.body = marc(one.identifier)
    later = house.harvest()
    [window] = windows.of_delivery(house.engine.ledger, later.id)
    assert window.from_at < windows.of_delivery(house.engine.ledger, blocked.id)[0].until_at
    same(house, repository)


def test_a_replay_reads_the_kept_pages_and_brings_nothing_older_back(house, serve) -> None:
    from include.engine.replay import replay

    repository = serve(made(5))
    house.settle(repository.url)
    first = house.harvest()
    repository.put(Kept("oai:test.example:00002", repository.now(), marc("00002", "Nyare"), ()))
    house.harvest()
    asked = len(repository.requests)
    again = replay(house.engine, first.id, who="kirsten")
    house.claimed()
    done = house.run(again.id)
    assert (done.state, done.counts.in_, done.counts.filtered, done.counts.unchanged) == (State.ACKNOWLEDGED, 5, 1, 4)
    assert done.facts["filtered"] == {"OAI_OLDER": 1}
    assert len(repository.requests) == asked
    same(house, repository)


def test_a_partner_in_status_test_publishes_nothing_and_covers_nothing_for_later(house, serve) -> None:
    repository = serve(made(5))
    house.settle(repository.url, status="test")
    assert house.harvest().facts["would"]["oai_record"]["added"] == 5
    assert house.records() == {}
    house.settle(repository.url)
    assert house.harvest().counts.added == 5


def test_titles_have_one_source(house, serve) -> None:
    house.settle(serve(made(2)).url, "bind: false")
    house.harvest()
    assert (len(house.records()), house.titles()) == (2, {})


def test_dublin_core_becomes_titles_too(house, serve) -> None:
    body = (
        '<oai_dc:dc xmlns:oai_dc="http://www.openarchives.org/OAI/2.0/oai_dc/" xmlns:dc="http://purl.org/dc/elements/1.1/">'
        "<dc:title>Åskan</dc:title><dc:creator>Ek, Siv</dc:creator><dc:date>2019-05-01</dc:date><dc:type>Text</dc:type>"
        "<dc:identifier>urn:isbn:9789100123456</dc:identifier><dc:language>swe</dc:language></oai_dc:dc>"
    )
    repository = serve([Kept("oai:test.example:abc/1", DAY, body)])
    house.settle(repository.url, prefix="oai_dc")
    house.harvest()
    same(house, repository)
    [title] = house.titles().values()
    assert (title["control_number"], title["agency"], title["format"]) == ("abc/1", "test.example", "dc")
    assert (title["title"], title["year"], title["contributors"], title["language"]) == ("Åskan", 2019, ["Ek, Siv"], "swe")


def test_metadata_that_lean_on_namespaces_around_them_stand_alone_in_the_lake(house, serve) -> None:
    body = marc("1").replace(' xmlns="http://www.loc.gov/MARC21/slim"', "").replace("<", "<m:").replace("<m:/", "</m:")
    repository = serve([Kept("oai:test.example:1", DAY, body)])
    right = repository.document
    repository.document = lambda verb, inside: right(verb, inside).replace(
        "<OAI-PMH ", '<OAI-PMH xmlns:m="http://www.loc.gov/MARC21/slim" '
    )
    house.settle(repository.url)
    house.harvest()
    assert house.records()["oai:test.example:1"]["xml"] == body.replace("<m:record>", '<m:record xmlns:m="http://www.loc.gov/MARC21/slim">')
    assert "1" in house.titles()
