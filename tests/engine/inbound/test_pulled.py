"""What is fetched: pages durable as they come, a fetch that goes on after them, and a landed file like any other."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pytest

from include.engine.delivery import NewDelivery
from include.engine.engine import Engine
from include.engine.errors import Refused, StaleToken, Tampered, Unreachable
from include.engine.inbound.pulled import Pages, folder_of
from include.engine.inbound.work import key_of
from include.engine.ledger import Ledger, claims, deliveries, windows
from include.engine.storage.archive import members
from include.engine.storage.landing import open_landed
from include.engine.storage.warc import Page, pack, pages
from tests import house as building

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)


def page(number: int, size: int = 100) -> Page:
    return Page(f"https://x.example/?page={number}", NOON, bytes([number % 256]) * size, fields={"Number": str(number)})


@pytest.fixture
def engine(tmp_path: Path, ledger: Ledger) -> Engine:
    return Engine(tmp_path / "home", ledger, building.EnvironmentCredentials(building.MASTER), {}, tmp_path)


@pytest.fixture
def delivery(engine: Engine):
    deliveries.see(engine.ledger, NewDelivery("almvik__x__1", "almvik", "fetch", "t", NOON))
    found = claims.claim(engine.ledger, "almvik__x__1")
    assert found is not None
    return found


def opened(engine: Engine, delivery) -> Pages:
    token = claims.take(engine.ledger, delivery.id, "receive")
    return Pages(folder_of(engine, delivery), key_of(engine, delivery), engine, token)


def numbers(found: Pages) -> list[int]:
    return [int(one.fields["Number"]) for one in found.kept()]


def test_what_a_try_has_made_durable_the_next_one_finds_in_order(engine: Engine, delivery) -> None:
    first = opened(engine, delivery)
    for number in range(5):
        first.add(page(number))
        if number == 2:
            first.flush()
    second = opened(engine, delivery)
    assert numbers(second) == [0, 1, 2], "what was in memory alone is asked for again"
    second.add(page(3))
    second.flush()
    assert numbers(opened(engine, delivery)) == [0, 1, 2, 3]


def test_many_bytes_are_made_durable_without_being_asked(engine: Engine, delivery, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BINDERY_PULL_SECONDS", "3600")
    found = opened(engine, delivery)
    found.add(page(1, 1000))
    assert numbers(found) == []
    found.add(page(2, 9 << 20))
    assert numbers(found) == [1, 2]


def test_a_try_that_was_overtaken_adds_nothing(engine: Engine, delivery) -> None:
    late, newer = opened(engine, delivery), opened(engine, delivery)
    late.add(page(1))
    with pytest.raises(StaleToken):
        late.flush()
    assert numbers(newer) == []


def test_a_part_is_never_written_over(engine: Engine, delivery) -> None:
    one, other = opened(engine, delivery), None
    other = Pages(folder_of(engine, delivery), key_of(engine, delivery), engine, one._token)
    one.add(page(1))
    one.flush()
    other.add(page(2))
    with pytest.raises(Unreachable, match="another try"):
        other.flush()
    assert numbers(opened(engine, delivery)) == [1]


def test_a_part_in_the_place_of_another_is_refused(engine: Engine, delivery) -> None:
    found = opened(engine, delivery)
    for number in (1, 2):
        found.add(page(number))
        found.flush()
    folder = folder_of(engine, delivery)
    (folder / "part-000002.sealed").write_bytes((folder / "part-000001.sealed").read_bytes())
    with pytest.raises(Tampered):
        numbers(opened(engine, delivery))


def test_the_landed_file_holds_all_pages_the_leading_one_first(engine: Engine, delivery) -> None:
    found = opened(engine, delivery)
    for number in range(1, 4):
        found.add(page(number))
        found.flush()
    found.lead(page(0))
    landed = found.landed()
    with open_landed(landed, engine.keys, home=engine.home) as raw:
        member = next(found_members := members("x", raw))
        whole = member.stream.read()
        assert list(found_members) == []
    read = list(pages(BytesIO(whole)))
    assert [one.fields["Number"] for one in read] == ["0", "1", "2", "3"]
    assert all(whole[one.offset : one.offset + len(one.content)] == one.content for one in read)
    assert (read[1].uri, read[1].at) == ("https://x.example/?page=1", NOON)


def test_pages_that_are_cut_short_or_are_none_are_refused() -> None:
    whole = pack(page(1))
    for wrong in (whole[:-10], whole[:40], b"PK" + whole, b"x" * 100_000):
        with pytest.raises(Refused):
            list(pages(BytesIO(wrong)))


def test_a_field_cannot_break_out_of_its_line() -> None:
    with pytest.raises(ValueError, match="line break"):
        pack(Page("https://x.example/\r\nWARC-Type: warcinfo", NOON, b""))


def test_covered_is_what_is_published_without_a_gap(engine: Engine, delivery) -> None:
    ledger, day = engine.ledger, timedelta(days=1)
    spans = [(None, NOON), (NOON - day, NOON + day), (NOON + 3 * day, NOON + 4 * day)]
    for number, (begin, until) in enumerate(spans):
        one = deliveries.see(ledger, NewDelivery(f"almvik__y__{number}", "almvik", "fetch", f"y{number}", NOON))
        window = windows.begin(ledger, one, "s", "window", begin, until)
        assert windows.begin(ledger, one, "s", "window", NOON, None).attempts == 2, "an earlier try's window stays as it was"
        windows.note(ledger, window, figures={}, fetched=True)
    found = windows.find(ledger, "almvik", "fetch", series="s")
    assert windows.covered_until(found) is None
    with ledger.begin() as tx:
        tx.exec_driver_sql("UPDATE delivery SET state = 'acknowledged' WHERE id LIKE 'almvik__y__%'")
    found = windows.find(ledger, "almvik", "fetch", series="s", status="live")
    assert windows.covered_until(found) == NOON + day
    assert windows.gaps(found) == [(NOON + day, NOON + 3 * day)]
    assert windows.gaps(found[1:]) == [(None, NOON - day), (NOON + day, NOON + 3 * day)]
