"""Files that a person writes: what cannot be used is told with its row and column, and never with what stands there."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.circulation import pinfile
from connectors.circulation.embedded.store import Store
from connectors.circulation.loading import load
from connectors.circulation.pinfile import FOLDER, leave, take_pins
from connectors.circulation.pins import hashed, matches
from include.engine.errors import BinderyError

PATRON = {"patron": "p1", "name": "Reader One", "cards": "c1"}
LOAN = {"item": "i1", "patron": "p1", "loaned_at": "2026-11-01", "due": "2026-12-01"}
TERMINALS = {"institution": "x", "timezone": "Europe/Copenhagen"}


def _told(folder: Path, file: Path) -> str:
    store = Store(folder / "store.db")
    try:
        with pytest.raises(BinderyError) as told:
            load([file], folder, store)
    finally:
        store.close()
    assert str(file) in str(told.value)
    return str(told.value).replace(str(folder), "")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            {"patrons": [PATRON, PATRON | {"card": "4500001234"}]},
            "row 2 of patrons cannot be read: nothing is called card; there are patron, name",
        ),
        ({"patrons": [PATRON | {"birth_date": "4500001234"}]}, "birth_date is not a day such as 2026-11-22"),
        ({"patrons": [PATRON | {"block": "LATE 4500001234"}]}, "block is reasons of words.yaml, such as CARD_BLOCKED"),
        ({"patrons": [PATRON | {"language": "klingon"}]}, "language is one of en, da, sv, nl"),
        ({"patrons": ["4500001234"]}, "row 1 of patrons cannot be read: it is no row of names and values"),
        ({"items": [{"item": "i1", "status": "checked out"}]}, "status is one of available, on_loan"),
        ({"loans": [{"item": "i1", "patron": "p1", "loaned_at": "2026-11-01"}]}, "row 1 of loans cannot be read: it has no due"),
        ({"loans": [LOAN | {"renewals": "twice"}]}, "renewals is not a number"),
        ({"holds": [{"hold": "h1", "patron": "p1", "placed": "2026-11-01"}]}, "it has no title_id"),
        ({"fees": [{"fee": "f1", "patron": "p1", "outstanding": "4500001234 kr"}]}, "outstanding is not an amount such as 12.50"),
        (["4500001234"], "it does not say what it holds"),
        ({"terminals": TERMINALS | {"terminals": {"k1": {"branch": "main"}}}}, "terminals.k1.password: is missing"),
        ({"terminals": TERMINALS | {"terminals": None}}, "terminals: Input should be a valid dictionary"),
        ({"terminals": None}, "institution: is missing"),
        ({"rules": {"defaults": {"hold_days": 8}}}, "hold_days"),
    ],
)
def test_what_is_wrong_is_told_with_its_row_and_column(tmp_path: Path, content: Any, words: str) -> None:
    file = tmp_path / "library.yaml"
    file.write_text(yaml.safe_dump(content))
    told = _told(tmp_path, file)
    assert words in told
    assert "1234" not in told
    assert sorted(one.name for one in tmp_path.iterdir() if one.suffix in (".yaml", ".part")) == ["library.yaml"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("library.yaml", b"patrons:\n  - {patron: p1, pin: '4500001234}\n", "it is no YAML: line 3: found unexpected end of stream"),
        ("library.yaml", b"\x00", "it is no YAML"),
        ("patrons.csv", b"4500001234;Reader\n4500001235;Another\n", "row 1 of patrons cannot be read: it has no patron"),
        ("fees.csv", b"fee;patron;outstanding\nf1;p1;Infinity\n", "outstanding is not an amount such as 12.50"),
        ("patrons.csv", "patron;name\np1;Åse 4500001234\n".encode("latin-1"), "byte 15 is no UTF-8. Save the file as UTF-8."),
        (
            "patrons.csv",
            b"patron;name\np1;Reader;4500001234\n",
            "row 1 of patrons cannot be read: it has more values than the first line has names",
        ),
    ],
)
def test_a_file_that_cannot_be_read_is_told_and_not_shown(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    file = tmp_path / name
    file.write_bytes(content)
    told = _told(tmp_path, file)
    assert words in told and "1234" not in told


def test_an_empty_part_and_a_last_delimiter_are_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("patrons:\nloans: []\n")
    (tmp_path / "items.csv").write_text("item;title\ni1;A title;\n")
    store = Store(tmp_path / "store.db")
    assert load([tmp_path / "empty.yaml", tmp_path / "items.csv"], tmp_path, store) == {"items": 1}
    assert store.get("item", "i1")["title"] == "A title"
    store.close()


def test_pins_are_hashed_each_to_its_own_patron_and_a_hash_stays_as_it_is(tmp_path: Path) -> None:
    file, heard = tmp_path / "patrons.csv", list[tuple[int, int]]()
    kept = hashed("9999")
    rows = [f"p{number};{1000 + number};c{number} d{number}" for number in range(7)]
    file.write_text("\n".join(["patron;pin;cards", *rows, f"p7;{kept};c7", "p8;;c8", "p0;4711;c0"]))
    store = Store(tmp_path / "store.db")
    assert load([file], tmp_path, store, lambda done, of: heard.append((done, of))) == {"patrons": 10}
    assert heard == [(done, 8) for done in range(1, 9)]
    pins = {number: (store.patron_of(f"c{number}") or {})["pin"] for number in range(9)}
    assert matches("4711", pins[0]) and all(matches(str(1000 + number), pins[number]) for number in range(1, 7))  # the last row counts
    assert (pins[7], pins[8]) == (kept, None) and (store.patron_of("d3") or {})["patron"] == "p3"
    store.close()


def test_a_mistake_is_told_before_a_pin_is_hashed(tmp_path: Path) -> None:
    patrons, loans, heard = tmp_path / "patrons.csv", tmp_path / "loans.csv", list[int]()
    patrons.write_text("patron;pin\np1;1234\np2;1234\n")
    loans.write_text("item;patron\ni1;p1\n")
    store = Store(tmp_path / "store.db")
    with pytest.raises(BinderyError, match="it has no loaned_at"):
        load([patrons, loans], tmp_path, store, lambda done, _: heard.append(done))
    assert heard == []
    store.close()


class _Keeper:
    """Keeps PINs by card."""

    def __init__(self) -> None:
        self.pins: dict[str, str] = {}

    async def keep_pin(self, who: str, pin: str) -> bool:
        self.pins[who] = pin
        return True


def _taken(folder: Path) -> dict[str, str]:
    """What a sidecar that serves takes over."""
    keeper = _Keeper()

    async def take() -> None:
        taking = asyncio.create_task(take_pins(folder, keeper))
        while list((folder / FOLDER).glob("*.jsonl")):
            await asyncio.sleep(0.01)
        taking.cancel()

    asyncio.run(take())
    return keeper.pins


def test_pins_count_while_the_others_are_hashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pinfile, "AT_ONCE", 2)
    file, there = tmp_path / "pins.csv", list[int]()
    file.write_text("card,pin\n" + "".join(f"c{number},{1000 + number}\n" for number in range(5)))
    assert leave(file, tmp_path, lambda _done, _of: there.append(len(list((tmp_path / FOLDER).glob("*.jsonl"))))) == 5
    assert there == [0, 0, 1, 1, 2]
    pins = _taken(tmp_path)
    assert all(matches(str(1000 + number), pins[f"c{number}"]) for number in range(5)) and len(pins) == 5


def test_a_file_of_pins_with_a_mistake_leaves_none(tmp_path: Path) -> None:
    file = tmp_path / "pins.csv"
    file.write_text("card,pin\nc1,1234\nc2,\n")
    with pytest.raises(BinderyError, match="row 2 lacks a card"):
        leave(file, tmp_path)
    assert not (tmp_path / FOLDER).exists()
