"""Lists while the data changes under them: whoever follows a list, and then asks for what is new since its date, has everything."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import time_machine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.oai_pmh.provider import index
from connectors.oai_pmh.provider.horizon import next_datestamp, promise
from connectors.oai_pmh.provider.index import file_in, writing
from connectors.oai_pmh.provider.xml import stamp
from include.engine.errors import Unreachable
from tests.connectors.oai_pmh.provider.conftest import START
from tests.connectors.oai_pmh.provider.house import Page, Row, Shelf, ask, pages, row

LIST = "verb=ListRecords&metadataPrefix=oai_dc"


class Harvester:
    """Keeps what it is given, later answers over earlier ones; goes by the date of its last list's first page, as the guidelines say."""

    def __init__(self, shelf: Shelf, query: str) -> None:
        self.shelf, self.query = shelf, query
        self.has: dict[str, tuple[str, str]] = {}
        self.token: str | None = None
        self.since, self.began = "", ""
        self.steps = 0

    def step(self) -> None:
        """The next page of the list, or the first of a new one."""
        self.steps += 1
        assert self.steps < 300, "the list does not end"
        if self.token:
            found = ask(self.shelf.desk(), f"verb=ListRecords&resumptionToken={self.token}")
        else:
            found = ask(self.shelf.desk(), self.query + self.since)
            self.began = found.dated
        self._take(found)
        self.token = found.token
        if self.token is None and found.error in (None, "noRecordsMatch"):
            self.since = f"&from={self.began}"

    def finish(self) -> None:
        self.step()
        while self.token:
            self.step()

    def _take(self, found: Page) -> None:
        assert found.error in (None, "noRecordsMatch"), found.error
        for record in found.all("*//o:record"):
            identifier, stamp = record[0][0].text, record[0][1].text
            title = "" if record[0].get("status") else record.findtext(".//{http://purl.org/dc/elements/1.1/}title")
            old = self.has.get(identifier)
            assert old is None or old[1] <= stamp, "a record went back in time"
            assert stamp <= found.dated, "a record of the future"
            self.has[identifier] = (title, stamp)


changes = st.one_of(
    st.tuples(st.just("put"), st.integers(0, 11), st.integers(0, 3)),
    st.tuples(st.just("drop"), st.integers(0, 11), st.just(0)),
    st.tuples(st.just("flag"), st.integers(0, 11), st.just(0)),
    st.tuples(st.just("page"), st.just(0), st.just(0)),
    st.tuples(st.just("look"), st.just(0), st.just(0)),
    st.tuples(st.just("wait"), st.sampled_from([0, 1, 2, 30]), st.just(0)),
    st.tuples(st.just("back"), st.just(5), st.just(0)),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(changes, max_size=40), st.integers(1, 4))
def test_a_harvester_that_follows_its_lists_to_the_end_has_what_the_library_has(steps: list[tuple[str, int, int]], page: int) -> None:
    with tempfile.TemporaryDirectory() as folder, time_machine.travel(START, tick=False) as now:
        shelf = Shelf(Path(folder), page=page)
        rows: dict[int, Row] = {n: row(n, title="first") for n in range(8)}
        version = 0

        def look() -> None:
            nonlocal version
            version += 1
            shelf.put("lindeby", {f"v{version}": [rows[n] for n in sorted(rows)]})
            shelf.look()

        look()
        harvester = Harvester(shelf, LIST)
        for what, number, variant in steps:
            match what:
                case "put":
                    rows[number] = row(number, title=f"variant {variant}")
                case "flag":
                    rows[number] = row(number, deleted=True)
                case "drop":
                    rows.pop(number, None)
                case "page":
                    harvester.step()
                case "look":
                    look()
                case "wait":
                    now.shift(number)
                case "back":  # a clock that is set back must not lose anything either
                    now.shift(-number)
        look()
        now.shift(100)
        while harvester.token:
            harvester.step()
        harvester.finish()
        titles = {identifier.rpartition("/")[2]: title for identifier, (title, _) in harvester.has.items()}
        alive = {str(n): one["title"] for n, one in rows.items() if not one["deleted"]}
        assert {number: title for number, title in titles.items() if title} == alive
        stamps = {one[0]: one[1] for found in pages(shelf.desk(), LIST) for one in found.records}
        assert {identifier: stamp for identifier, (_, stamp) in harvester.has.items()} == stamps


@settings(max_examples=40, deadline=None)
@given(st.sets(st.integers(0, 19)), st.sets(st.integers(0, 19)), st.integers(1, 7), st.integers(0, 6))
def test_a_list_never_gives_a_record_twice_and_gives_all_that_stay(changed: set[int], gone: set[int], page: int, before: int) -> None:
    with tempfile.TemporaryDirectory() as folder, time_machine.travel(START, tick=False) as now:
        shelf = Shelf(Path(folder), page=page)
        shelf.put("lindeby", {"a": [row(n) for n in range(20)]})
        shelf.look()
        now.shift(10)
        desk = shelf.desk()
        found = [ask(desk, "verb=ListIdentifiers&metadataPrefix=oai_dc")]
        while found[-1].token:
            assert len(found) < 50, "the list does not end"
            if len(found) == before:
                shelf.put(
                    "lindeby", {"b": [row(n, title="other" if n in changed else "Huset ved havet") for n in range(20) if n not in gone]}
                )
                shelf.look()
                now.shift(10)
            found.append(ask(desk, f"verb=ListIdentifiers&resumptionToken={found[-1].token}"))
        ids = [id for one in found for id in one.ids]
        moved = {str(n) for n in changed | gone}
        assert len(ids) - len(set(ids)) <= 1  # an end of which nothing is left gives the list's newest record once more
        assert {str(n) for n in range(20)} - moved <= set(ids)


def test_an_end_of_which_nothing_is_left_is_still_a_list(shelf: Shelf, now: time_machine.Traveller) -> None:
    shelf.put("lindeby", {"a": [row(n) for n in range(5)]})
    shelf.look()
    now.shift(10)
    first = ask(shelf.desk(), LIST)
    shelf.put("lindeby", {"b": [row(n, title="Huset ved havet" if n < 3 else "other") for n in range(5)]})
    shelf.look()
    now.shift(10)
    last = ask(shelf.desk(), f"verb=ListRecords&resumptionToken={first.token}")
    assert (last.error, last.token, last.ids) == (None, None, ["4"])


def test_a_token_may_be_asked_again_and_outlives_a_restart(shelf: Shelf, now: time_machine.Traveller) -> None:
    shelf.put("lindeby", {"a": [row(n) for n in range(9)]})
    shelf.look()
    now.shift(10)
    token = ask(shelf.desk(), LIST).token
    twice = [ask(shelf.desk(), f"verb=ListRecords&resumptionToken={token}") for _ in range(2)]
    assert twice[0].reply.body == twice[1].reply.body
    assert twice[0].ids == ["3", "4", "5"]


def test_nothing_appears_under_a_date_that_was_answered_already(shelf: Shelf, now: time_machine.Traveller) -> None:
    shelf.put("lindeby", {"a": [row(1)]})
    shelf.look()
    now.shift(10)
    dated = ask(shelf.desk(), LIST).dated
    shelf.put("lindeby", {"a": [row(1)], "b": [row(2)]})
    shelf.look()
    assert ask(shelf.desk(), LIST).ids == ["1"]  # in the same second: what it names is not shown yet
    now.shift(1)
    [(_, stamp, _)] = [record for record in ask(shelf.desk(), LIST).records if record[0].endswith("/2")]
    assert stamp > dated


def test_while_somebody_writes_answers_carry_the_last_promised_date(shelf: Shelf, now: time_machine.Traveller) -> None:
    shelf.put("lindeby", {"a": [row(1)]})
    shelf.look()
    now.shift(10)
    before = ask(shelf.desk(), LIST).dated
    writer = index.connect(file_in(shelf.folder))
    with writing(writer):
        now.shift(7)
        assert ask(shelf.desk(), LIST).dated == before
    assert promise(writer) == START + 17
    assert ask(shelf.desk(), LIST).dated > before
    writer.close()


def test_that_nothing_is_new_is_dated_as_a_list_is(shelf: Shelf, now: time_machine.Traveller) -> None:
    """Who is told so asks from that date on the next time: a batch that is being written then must not lie before it."""
    shelf.put("lindeby", {"a": [row(1)]})
    shelf.look()
    now.shift(10)
    before = ask(shelf.desk(), LIST).dated
    writer = index.connect(file_in(shelf.folder))
    with writing(writer):
        coming = stamp(next_datestamp(writer))
        now.shift(7)
        nothing = ask(shelf.desk(), f"{LIST}&from={before}")
        assert (nothing.error, nothing.dated) == ("noRecordsMatch", before)
        assert nothing.dated < coming
    writer.close()


def test_a_page_that_now_goes_on_is_another_page_to_who_asks_whether_it_changed(shelf: Shelf, now: time_machine.Traveller) -> None:
    shelf.put("lindeby", {"a": [row(n) for n in range(3)]})
    shelf.look()
    now.shift(10)
    first = shelf.desk().harvest(LIST.encode(), False, "")
    etag = dict(first.headers)["etag"]
    assert shelf.desk().harvest(LIST.encode(), False, etag).status == 304
    shelf.put("lindeby", {"a": [row(n) for n in range(3)], "b": [row(3)]})
    shelf.look()
    now.shift(10)
    again = shelf.desk().harvest(LIST.encode(), False, etag)
    assert (again.status, b"<resumptionToken" in again.body) == (200, True)


def test_a_page_whose_token_has_expired_is_sent_again(shelf: Shelf, now: time_machine.Traveller) -> None:
    shelf.put("lindeby", {"a": [row(n) for n in range(5)]})
    shelf.look()
    now.shift(10)
    etag = dict(shelf.desk().harvest(LIST.encode(), False, "").headers)["etag"]
    now.shift(48 * 3600)
    assert shelf.desk().harvest(LIST.encode(), False, etag).status == 200


def test_an_index_that_was_removed_is_served_no_more_and_the_new_one_is(shelf: Shelf, now: time_machine.Traveller) -> None:
    """Whoever has it open must not go on with it: of two threads one would refuse the tokens of the other."""
    shelf.put("lindeby", {"a": [row(1)]})
    shelf.look()
    now.shift(10)
    desk = shelf.desk()
    assert ask(desk, LIST).ids == ["1"]
    for file in shelf.folder.glob("provider-*"):
        file.unlink()
    with pytest.raises(Unreachable) as refused:
        desk.harvest(LIST.encode(), False, "")
    assert refused.value.code == "OAI_INDEX_MISSING"
    shelf.put("lindeby", {"b": [row(2)]})
    shelf.look()
    now.shift(10)
    assert ask(desk, LIST).ids == ["2"]
