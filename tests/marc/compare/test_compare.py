"""Two exports compared: what came, what went, what changed and in which fields, whatever the files look like."""

from __future__ import annotations

import gzip
import io
import random
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.marc.compare import Comparison, compare
from include.marc.iso2709 import compiled, scan
from include.marc.write import marcxml
from tests.marc.iso import BOOK, iso

OTHER = [*BOOK[:3], ("245", b"10\x1faAnother title"), BOOK[4]]
OLD = [iso("1"), iso("2"), iso("3"), iso("4"), iso("5")]
#: 2 is gone, 4 changed, 6 came.
NEW = [iso("1"), iso("3"), iso("4", OTHER), iso("5"), iso("6")]


def told(found: Comparison) -> tuple[list[str], list[str], dict[str, list[str]], int]:
    changed = dict(zip(found.changed.column("control_number").to_pylist(), found.changed.column("fields").to_pylist(), strict=True))
    added, deleted = (table.column("control_number").to_pylist() for table in (found.added, found.deleted))
    return added, deleted, changed, found.unchanged


def compared(folder: Path, old: bytes, new: bytes, **choices: object) -> Comparison:
    (folder / "old.mrc").write_bytes(old)
    (folder / "new.mrc").write_bytes(new)
    return compare(folder / "old.mrc", folder / "new.mrc", **choices)  # type: ignore[arg-type]


EXPECTED = (["6"], ["2"], {"4": ["245"]}, 3)


def test_what_came_went_and_changed_is_found(tmp_path: Path) -> None:
    found = compared(tmp_path, b"".join(OLD), b"".join(NEW))
    assert told(found) == EXPECTED
    assert found.added.to_pylist() == [{"agency": "", "control_number": "6", "record": 5, "offset": len(b"".join(NEW[:4]))}]
    assert found.changed.select(["record", "old_record"]).to_pylist() == [{"record": 3, "old_record": 4}]


def test_the_order_of_the_records_does_not_matter(tmp_path: Path) -> None:
    assert told(compared(tmp_path, b"".join(OLD[::-1]), b"".join(NEW))) == EXPECTED
    assert told(compared(tmp_path, b"".join(OLD), b"".join(OLD))) == ([], [], {}, 5)
    assert told(compared(tmp_path, b"", b"".join(OLD))) == (["1", "2", "3", "4", "5"], [], {}, 0)


def test_packed_files_and_xml_are_compared_as_well(tmp_path: Path) -> None:
    (tmp_path / "old.gz").write_bytes(gzip.compress(b"".join(OLD)))
    with zipfile.ZipFile(tmp_path / "new.zip", "w") as archive:
        archive.writestr("1.mrc", b"".join(NEW[:2]))
        archive.writestr("2.mrc", b"".join(NEW[2:]))
    with (tmp_path / "new.xml").open("wb") as file:
        marcxml.write(scan(io.BytesIO(b"".join(NEW))), file)
    (tmp_path / "old.mrc").write_bytes(b"".join(OLD))
    for old in ("old.gz", "old.mrc"):
        for new in ("new.zip", "new.xml"):
            assert told(compare(tmp_path / old, tmp_path / new)) == EXPECTED
    back = compare(tmp_path / "new.xml", tmp_path / "old.mrc")
    assert told(back) == (["2"], ["6"], {"4": ["245"]}, 3)


def test_a_record_written_anew_is_not_changed(tmp_path: Path) -> None:
    old = iso("1", [("245", b"10\x1faCaf\xe2e")], coding=" ") + iso("2")
    new = iso("1", [("245", "10\x1faCafé".encode())]) + iso("2")[:24] + iso("2")[36:48] + iso("2")[24:36] + iso("2")[48:]
    found = compared(tmp_path, old, new)
    assert told(found) == ([], [], {}, 2)
    assert found.rewritten == 2


def test_changes_of_fields_that_do_not_matter_are_none(tmp_path: Path) -> None:
    old, new = iso("1", [("005", b"2025"), *BOOK]) + iso("2"), iso("1", [("005", b"2026"), *BOOK]) + iso("2", OTHER, leader="cam")
    assert told(compared(tmp_path, old, new))[2] == {"1": ["005"], "2": ["LDR", "245"]}
    assert told(compared(tmp_path, old, new, ignored=["005", "LDR"]))[2] == {"2": ["245"]}


def test_numbers_are_the_agency_s_own(tmp_path: Path) -> None:
    ours, theirs = iso("1", [("003", b"DK-1"), *BOOK]), iso("1", [("003", b"DK-2"), *OTHER])
    found = compared(tmp_path, ours + theirs, theirs)
    assert found.deleted.select(["agency", "control_number"]).to_pylist() == [{"agency": "DK-1", "control_number": "1"}]
    assert found.unchanged == 1


def test_records_without_or_with_the_same_number_are_accounted_for(tmp_path: Path) -> None:
    unnumbered = iso("x").replace(b"001", b"009", 1)
    found = compared(tmp_path, iso("1") + iso("1", OTHER) + unnumbered, iso("1") + iso("1", OTHER) + iso("1") + unnumbered)
    assert told(found) == (["1"], [], {}, 3)
    assert found.twice == 3


def test_damaged_records_are_compared_by_what_is_left_of_them(tmp_path: Path) -> None:
    damaged = [OLD[0], OLD[1][:-1], b"99999" + OLD[2][5:], OLD[3][:24] + b"#" * 40 + OLD[3][64:], OLD[4]]
    found = compared(tmp_path, b"".join(OLD), b"".join(damaged))
    assert told(found) == ([], ["4"], {}, 4)
    assert (found.rewritten, found.aside_old, found.aside_new) == (2, 0, 1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 2**32))
def test_any_two_exports_differ_by_what_was_done_between_them(tmp_path_factory: pytest.TempPathFactory, seed: int) -> None:
    chance = random.Random(seed)
    with pytest.MonkeyPatch.context() as patch:  # rows in one part or many, written at once or by and by
        patch.setattr("include.marc.compare.PART", chance.choice([100, 1_000, 1 << 20]))
        patch.setattr("include.marc.compare.rows.GATHERED", chance.choice([1, 10, 1 << 17]))
        _any_two(tmp_path_factory.mktemp("two"), chance)


def _any_two(folder: Path, chance: random.Random) -> None:
    old = {str(number): chance.choice([BOOK, OTHER]) for number in range(chance.randrange(60))}
    new = {number: chance.choice([fields, fields, BOOK, OTHER]) for number, fields in old.items() if chance.random() < 0.8}
    new |= {f"n{number}": BOOK for number in range(chance.randrange(5))}
    order = chance.sample(sorted(new), len(new))
    found = compared(folder, b"".join(iso(*one) for one in old.items()), b"".join(iso(number, new[number]) for number in order))
    added, deleted, changed, unchanged = told(found)
    assert (set(added), set(deleted)) == (new.keys() - old.keys(), old.keys() - new.keys())
    assert changed == {number: ["245"] for number in new.keys() & old.keys() if new[number] != old[number]}
    assert unchanged == len(new) - len(added) - len(changed)


def test_the_same_is_found_without_a_compiler(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(compiled.SETTING, "off")
    compiled.functions.cache_clear()
    assert told(compared(tmp_path, b"".join(OLD), b"".join(NEW))) == EXPECTED
    compiled.functions.cache_clear()
