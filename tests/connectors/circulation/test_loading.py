"""Files that a person writes: what cannot be used is told with its row and column, and never with what stands there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from connectors.circulation.embedded.store import Store
from connectors.circulation.loading import load
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
