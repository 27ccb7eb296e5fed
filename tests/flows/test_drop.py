"""A file dropped into an inbox from our side is a delivery like any other, and half a file never is."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from include.engine.delivery import State
from include.engine.errors import Refused, SettingsError
from include.engine.inbound.drop import drop, file_name, inboxes
from include.engine.ledger import audit
from tests.flows.conftest import Make, yaml
from tests.flows.files import GOOD
from tests.house import House


def dropped(house: House, name: str, *blocks: bytes, size: int | None = None, flow: str = "ils_import") -> str:
    return drop(house.engine, house.engine.partner(house.partner), flow, name, iter(blocks), who="ida", size=size).path


def left(house: House) -> list[str]:
    return sorted(file.name for file in house.inbox.iterdir())


def test_a_dropped_file_is_taken_in_and_audited(library: House) -> None:
    assert dropped(library, "items_1.csv", GOOD[:10], GOOD[10:], size=len(GOOD)) == "items_1.csv"
    assert library.taken().state == State.ACKNOWLEDGED
    [entry] = audit.find(library.engine.ledger, action="upload")
    assert (entry.who, entry.subject, entry.detail["path"], entry.detail["size"]) == ("ida", "havnsund", "items_1.csv", len(GOOD))


@pytest.mark.parametrize(
    ("settings", "later"),
    [('{done_file: "{name}.done"}', 0), ("{rename_from: .part}", 0), ("{stable_for: 2s}", 3)],
    ids=["done", "rename", "stable"],
)
def test_every_policy_of_readiness_holds_for_it(at: Make, settings: str, later: float) -> None:
    house = at()
    house.write(yaml(ready=settings))
    dropped(house, "items_1.csv", GOOD)
    assert house.taken(later).state == State.ACKNOWLEDGED
    assert not (house.inbox / "items_1.csv.done").exists()


@pytest.mark.parametrize(
    ("name", "clean"),
    [
        ("C:\\Users\\ida\\items_1.csv", "items_1.csv"),
        ("../../etc/items_1.csv", "items_1.csv"),
        ("items_<script>\n.csv", "items__script__.csv"),
        ("items_a\u030a.csv", "items_å.csv"),
        ("items_\u202egpj.csv", "items__gpj.csv"),
    ],
)
def test_a_name_is_made_plain(name: str, clean: str) -> None:
    assert file_name(name) == clean


@pytest.mark.parametrize("name", ["", "..", "///", ".items_1.csv", "items_1.csv.part", "~$items_1.csv"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    with pytest.raises(Refused, match="FILE_NAME_UNSAFE"):
        file_name(name)


def test_only_what_is_agreed_upon_is_taken(at: Make) -> None:
    house = at()
    house.write(yaml(ready='{done_file: "{name}.done"}'))
    for name in ("holiday.jpg", "items_1.csv.done"):
        with pytest.raises(Refused, match="UPLOAD_UNKNOWN_NAME"):
            dropped(house, name, GOOD)
    with pytest.raises(SettingsError):
        dropped(house, "items_1.csv", GOOD, flow="adhl_upload")
    assert left(house) == []


def test_nothing_is_left_of_a_file_that_is_cut_short_empty_or_too_large(at: Make) -> None:
    house = at()
    house.write(yaml(flow="    largest: 1 KB"))

    def breaks() -> Iterator[bytes]:
        yield GOOD[:5]
        raise ConnectionResetError

    cases = {"UPLOAD_CUT_SHORT": (GOOD[:50], 60), "FILE_EMPTY": (b"", None), "FILE_TOO_LARGE": (b"x" * 1025, None)}
    for code, (content, size) in cases.items():
        with pytest.raises(Refused, match=code):
            dropped(house, "items_1.csv", content, size=size)
    with pytest.raises(Refused, match="FILE_TOO_LARGE"):
        dropped(house, "items_1.csv", b"", size=1025)
    with pytest.raises(Exception, match="ConnectionReset"):
        drop(house.engine, house.engine.partner("havnsund"), "ils_import", "items_1.csv", breaks(), who="ida")
    assert left(house) == []
    assert audit.find(house.engine.ledger, action="upload") == []


def test_a_file_that_lies_there_is_not_written_over(library: House) -> None:
    dropped(library, "items_1.csv", GOOD)
    with pytest.raises(Refused, match="FILE_NAME_TAKEN"):
        dropped(library, "items_1.csv", b"other")
    assert (library.inbox / "items_1.csv").read_bytes() == GOOD


def test_only_flows_with_an_inbox_take_files(library: House) -> None:
    assert list(inboxes(library.engine.partner("havnsund"))) == ["ils_import"]
