"""What is answered from memory is what the database alone would answer, whatever is written behind and whatever was let go."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.circulation.domain import Patron
from connectors.circulation.embedded import memory, writing
from connectors.circulation.embedded.recent import Known, Recent
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.embedded.sqlite import Sqlite
from connectors.circulation.embedded.store import SCHEMA, Store
from connectors.circulation.embedded.terms import Terms
from connectors.circulation.embedded.views import patron_view
from connectors.circulation.embedded.writing import Behind

FEW = ["a", "b", "c", "d"]
_key = st.sampled_from(FEW)
_moment = st.integers(1, 3)


def _put(table: str, **columns: Any) -> st.SearchStrategy[list[Any]]:
    return st.fixed_dictionaries(
        {name: value if isinstance(value, st.SearchStrategy) else st.just(value) for name, value in columns.items()}
    ).map(lambda row: [table, row])


_CHANGE = st.one_of(
    _put("loan", item=_key, patron=_key, loaned_at=_moment, due=_moment, renewals=0),
    _put("hold", hold=_key, patron=_key, title_id=_key, item="", pickup="", placed=_moment, expires=None, ready=0),
    _put("fee", fee=_key, patron=_key, kind="other", outstanding=st.integers(0, 2), title=""),
    _put("item", item=_key, title_id=_key, title=_key, status="available", material="book", owner="", location="", call_number="", properties="",
         magnetic=0, hold=""),
    _put("card", card=_key, patron=_key),
    _put("done", key=_key, at=_moment, outcome="{}"),
    _put("returned", item=_key, patron=_key, loaned_at=_moment, due=_moment, renewals=0, at=_moment),
    st.tuples(st.sampled_from(["-loan", "-hold", "-fee", "-item", "-card", "-returned"]), _key).map(list),
)  # fmt: skip
_STEP = st.one_of(_CHANGE, _CHANGE, st.sampled_from(["look", "begin", "end", "commit", "fill", "anew"]))


@pytest.fixture(scope="module", autouse=True)
def _little_room() -> Iterator[None]:
    kept = memory.MOST_ROWS, memory.MOST_LISTS, memory.MOST_KNOWN
    memory.MOST_ROWS, memory.MOST_LISTS, memory.MOST_KNOWN = 2, 1, 3
    yield
    memory.MOST_ROWS, memory.MOST_LISTS, memory.MOST_KNOWN = kept


def _all(store: Store) -> list[Any]:
    """Everything that the rules can ask."""
    rows = [store.get(table, key) for table in ("loan", "hold", "fee", "item", "card", "done", "returned") for key in FEW]
    return rows + [ask(key) for ask in (store.loans_of, store.holds_of, store.fees_of, store.queue, store.patron_of) for key in FEW]


@settings(max_examples=60, deadline=None)
@given(st.lists(_STEP, max_size=30))
def test_memory_answers_as_the_database_would(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        with_memory, alone = Store(Path(folder) / "a.db"), Store(Sqlite(Path(folder) / "b.db", SCHEMA))
        begun: Behind | None = None
        for step in steps:
            if isinstance(step, list):
                for store in (with_memory, alone):
                    store.apply([step])
                    store.applied += 1
            elif step == "look":
                assert _all(with_memory) == _all(alone)
            elif step == "begin" and begun is None:
                begun = with_memory.behind()
            elif step == "end" and begun is not None:
                with_memory.write(begun)
                with_memory.written(begun)
                begun = None
            elif step == "commit":
                with_memory.commit()
            elif step == "fill":
                for store in (with_memory, alone):
                    store.fill("item", [{"item": "a", "title": "filled"}])
                    store.amend("item", "b", {"title": "amended"})
                    store.fill("loan", [{"item": "c", "patron": "d", "loaned_at": 1, "due": 2, "renewals": 0}])
                    store.fill("hold", [{"hold": "c", "patron": "d", "title_id": "b", "placed": 1}])
                with_memory.commit()
            elif step == "anew":
                with_memory.commit()
                with_memory.close()
                with_memory, begun = Store(Path(folder) / "a.db"), None
        assert _all(with_memory) == _all(alone)
        assert list(with_memory.rows("loan")) == list(alone.rows("loan"))
        with_memory.commit()
        again = with_memory.reader()
        assert _all(again) == _all(alone) and again.applied == alone.applied
        for store in (again, with_memory, alone):
            store.close()


def test_a_write_that_fails_is_made_up_for_by_the_next(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    store.apply([["card", {"card": "a", "patron": "p"}]])
    store.applied = 1
    first = store.behind()
    assert first is not None
    broken = Behind(first.of, {"card": {"b": {"card": "b"}}}, 1, 0)
    with pytest.raises(KeyError):
        store.write(broken)
    store.apply([["card", {"card": "c", "patron": "p"}]])
    store.applied = 2
    second = store.behind()
    assert second is not None and store.get("card", "a") == {"card": "a", "patron": "p"}
    store.write(second)
    store.written(second)
    reader = store.reader()
    assert [row["card"] for row in reader.rows("card")] == ["a", "c"] and reader.applied == 2
    reader.close()
    store.close()


def test_a_write_beside_those_who_answer_rests_until_somebody_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "RESTS", 10**9)
    monkeypatch.setattr(writing, "LONGEST_S", 10**6)  # it would rest for days
    store = Store(tmp_path / "store.db")
    store.apply([["card", {"card": f"c{number}", "patron": "p"}] for number in range(200)])
    store.applied = 1
    behind = store.behind()
    assert behind is not None
    beside = Thread(target=store.write, args=(behind,), daemon=True)
    beside.start()
    while not store._writing.locked():
        time.sleep(0.001)
    assert beside.is_alive()
    store.commit()
    beside.join(60)
    assert not beside.is_alive()
    assert sum(1 for _ in store.rows("card")) == 200
    store.close()


def test_what_was_not_asked_for_again_is_let_go() -> None:
    recent: Recent[int] = Recent(2)
    for number, key in enumerate(FEW):
        recent.put(key, number)
        assert recent.get("a", -1) == 0  # asked for each time, so it stays
    assert [recent.get(key, -1) for key in "bd"] == [-1, 3]


def test_a_key_that_was_never_put_is_known_not_to_be_there_while_there_is_room() -> None:
    known = Known(3)
    for key in "ab":
        known.put(key)
    known.turn()
    assert "a" in known and "c" not in known
    known.turn()
    assert "a" not in known
    for key in "abcd":
        known.put(key)
    assert not known.whole and "z" in known
    many = Known(3)
    many.fill(iter("abc"))
    assert many.whole and "c" in many and "z" not in many
    many.fill(map(str, count()))  # which has no end
    assert not many.whole and "z" in many


def test_many_rows_are_written_and_taken_away_at_once(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    cards = [f"{number:03}" for number in range(200)]
    store.apply(["card", {"card": card, "patron": "p"}] for card in cards)
    store.apply(["-card", card] for card in cards[:130])
    store.apply(["card", {"card": card, "patron": "q"}] for card in cards[130:140])
    store.commit()
    store.apply(["-card", card] for card in cards[70:])
    store.applied = 1
    behind = store.behind()
    assert behind is not None and store.get("card", "199") is None
    store.write(behind)
    store.written(behind)
    store.apply(["card", {"card": card, "patron": "r"}] for card in cards)
    store.commit()
    assert [(row["card"], row["patron"]) for row in store.rows("card")] == [(card, "r") for card in cards]
    store.close()


def test_what_is_older_is_not_written_over_what_is_newer_nor_into_another_file(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")

    def done(patron: str, number: int) -> Behind:
        store.apply([["card", {"card": "a", "patron": patron}]])
        store.applied = number
        behind = store.behind()
        assert behind is not None
        return behind

    late = done("old", 1)
    done("new", 2)
    store.commit()
    store.write(late)
    store.written(late)
    assert [row["patron"] for row in store.rows("card")] == ["new"]
    late = done("before", 3)
    made = store.successor()
    made.fill("card", [{"card": "a", "patron": "filled"}])
    made.commit()
    store.replace(made)
    store.write(late)
    store.written(late)
    assert store.applied == 0 and [row["patron"] for row in store.rows("card")] == ["filled"]
    store.close()


def test_keys_that_somebody_makes_up_do_not_fill_the_memory(tmp_path: Path) -> None:
    store = Store(tmp_path / "store.db")
    for number in range(3):
        made_up = f"{number}" * 10_000
        assert store.patron_of(made_up) is None and store.get("item", made_up) is None and store.queue(made_up) == []
    assert store._memory is not None
    tables = store._memory._tables.values()
    lists = (*(table.rows for table in tables), *(one.recent for table in tables for one in table.lists))
    assert [key for kept in lists if kept is not None for key in kept.new if len(str(key)) > memory.LONGEST_KEY] == []
    store.close()


def test_a_patron_who_is_changed_or_gone_is_nowhere_as_they_were(tmp_path: Path) -> None:
    store, terms = Store(tmp_path / "store.db"), Terms(Rules())
    store.fill("patron", [{"patron": "a", "name": "Reader"}])

    def seen(card: str = "c") -> Patron:
        row = store.get("patron", "a")
        assert row is not None
        return patron_view(store, terms, row, card, whole=False)

    try:
        assert seen() is seen()
        assert seen("d").card == "d"
        row = store.get("patron", "a")
        assert row is not None and store.shown is not None and "a" in store.shown
        store.apply([["patron", row | {"name": "Reader Changed"}]])
        assert "a" not in store.shown
        assert seen().name == "Reader Changed"
        store.amend("patron", "a", {"name": "Reader Amended"})
        assert "a" not in store.shown
        assert seen().name == "Reader Amended"
        store.apply([["-patron", "a"]])
        assert store.shown == {}
    finally:
        store.close()
