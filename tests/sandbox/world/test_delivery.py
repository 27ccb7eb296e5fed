"""What a made-up library delivers: the same bytes at every run, readable by anybody, and as the answer sheet says."""

from __future__ import annotations

import hashlib
import io
import unicodedata
import zipfile
from pathlib import Path

import pymarc
import pytest

from include.sandbox.world import Sheet, load, make
from include.sandbox.world.libraries import LIBRARIES
from tests.sandbox.world.reading import lines, octets, rows, xml_records

Made = tuple[Path, dict[str, Sheet]]
SMALL = 1_000


def hashes(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, library: str) -> None:
    make(library, SMALL, tmp_path / "one", seed=3, bad=0.05)
    make(library, SMALL, tmp_path / "two", seed=3, bad=0.05)
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")


def test_another_seed_gives_another_world(tmp_path: Path) -> None:
    make("lindeby", SMALL, tmp_path / "one", seed=3)
    make("lindeby", SMALL, tmp_path / "two", seed=4)
    one, two = hashes(tmp_path / "one"), hashes(tmp_path / "two")
    assert one.keys() == two.keys()
    assert not set(one.values()) & set(two.values())


def test_broken_records_leave_the_good_ones_as_they_are(tmp_path: Path) -> None:
    make("havnsund", SMALL, tmp_path / "good", seed=3, two_days=False)
    sheet = make("havnsund", SMALL, tmp_path / "bad", seed=3, bad=0.1, two_days=False)
    for answer in sheet.files:
        if answer.table in ("bibliographic", "authority"):
            continue
        good = octets(tmp_path / "good" / "havnsund" / "day1" / answer.file).splitlines()
        bad = octets(tmp_path / "bad" / "havnsund" / "day1" / answer.file).splitlines()
        rest = list(bad)
        for line in good:
            rest.remove(line)
        assert len(rest) == sum(answer.set_aside.values())


def test_the_answer_sheet_counts_every_record_of_every_file(made: Made) -> None:
    out, sheets = made
    for library, sheet in sheets.items():
        for answer in sheet.files:
            path = out / library / f"day{answer.day}" / answer.file
            assert answer.records == answer.good + sum(answer.set_aside.values())
            assert sum(answer.faults.values()) == sum(answer.set_aside.values()) + answer.repaired
            assert (path.stat().st_size, hashlib.sha256(path.read_bytes()).hexdigest()) == (answer.bytes, answer.sha256)
            if path.suffix == ".mrc":
                assert octets(path).count(b"\x1d") == answer.records
            elif ".xml" in path.name:
                assert len(list(xml_records(path))) == answer.records
            else:
                assert lines(library, path) == answer.records, path


def test_every_fault_of_a_table_is_there_when_there_is_room(made: Made) -> None:
    loans = [answer for answer in made[1]["lindeby"].files if answer.table == "loan" and answer.day == 1]
    assert len(loans[0].faults) == 9
    assert max(loans[0].faults.values()) - min(loans[0].faults.values()) <= 1


def test_the_answer_sheet_is_read_back_as_it_was(made: Made) -> None:
    out, sheets = made
    for library, sheet in sheets.items():
        assert load(out / library / "answers.json") == sheet
    assert sheets["lindeby"].answer("patrons_20260831.csv", day=2).note
    with pytest.raises(KeyError, match="delivers no"):
        sheets["lindeby"].answer("nothing.csv")


@pytest.mark.parametrize(("library", "letter"), [("havnsund", "ø"), ("almvik", "ö"), ("molendal", "ë")])
def test_pymarc_reads_every_good_record(tmp_path: Path, library: str, letter: str) -> None:
    sheet = make(library, SMALL, tmp_path, two_days=False)
    for table in ("bibliographic", "authority"):
        answer = next(answer for answer in sheet.files if answer.table == table)
        data = (tmp_path / library / "day1" / answer.file).read_bytes()
        if library == "molendal":
            # To pymarc every leader/09 of "a" is Unicode; in UNIMARC's authorities it is a person.
            found = list(pymarc.MARCReader(io.BytesIO(data), to_unicode=False))
            assert letter.encode("iso-8859-1") in data
        else:
            found = list(pymarc.MARCReader(io.BytesIO(data)))
            assert any(letter in unicodedata.normalize("NFC", str(record)) for record in found)
        assert len([record for record in found if record is not None and record["001"]]) == answer.records


def test_lxml_reads_every_good_record(tmp_path: Path) -> None:
    sheet = make("lindeby", SMALL, tmp_path, two_days=False)
    answer = next(answer for answer in sheet.files if answer.table == "bibliographic")
    numbers = [record.findtext("{*}controlfield[@tag='001']") for record in xml_records(tmp_path / "lindeby" / "day1" / answer.file)]
    assert len(numbers) == len(set(numbers)) == answer.good


def test_the_second_day_changes_what_the_sheet_says(tmp_path: Path) -> None:
    sheet = make("lindeby", 3_000, tmp_path)
    for table, key in (("item", "Eksemplarnr"), ("patron", "Lånernr")):
        one, two = (next(answer for answer in sheet.files if answer.table == table and answer.day == day) for day in (1, 2))
        before = {row[key]: row for row in rows("lindeby", tmp_path / "lindeby" / "day1" / one.file)}
        after = {row[key]: row for row in rows("lindeby", tmp_path / "lindeby" / "day2" / two.file)}
        same = before.keys() & after.keys()
        changes = two.changes[table]
        assert changes.added == len(after.keys() - before.keys())
        assert changes.deleted == len(before.keys() - after.keys())
        assert changes.changed == sum(before[one_key] != after[one_key] for one_key in same)
        assert changes.unchanged == len(same) - changes.changed


def test_a_second_catalogue_changes_what_the_sheet_says(tmp_path: Path) -> None:
    sheet = make("almvik", 5_000, tmp_path, bad=0.02)
    one, two = (next(answer for answer in sheet.files if answer.table == "bibliographic" and answer.day == day) for day in (1, 2))
    before, after = (_good_records(tmp_path / "almvik" / f"day{answer.day}" / answer.file) for answer in (one, two))
    changes = two.changes["bibliographic"]
    same = before.keys() & after.keys()
    assert changes.added == len(after.keys() - before.keys())
    assert changes.deleted == len(before.keys() - after.keys()) + one.repaired
    assert changes.changed == sum(before[number] != after[number] for number in same)
    assert changes.unchanged == len(same) - changes.changed


def _good_records(path: Path) -> dict[bytes, bytes]:
    """Whole records by control number; the broken ones' leaders, numbers or directories tell them."""
    found = {}
    for record in path.read_bytes().split(b"\x1d")[:-1]:
        if record[:5].isdigit() and record[24:27] == b"001":
            found[record[24:].split(b"\x1e")[1]] = record
    return found


@pytest.mark.parametrize(("library", "key"), [("molendal", "uitleenid"), ("havnsund", "issue_id")])
def test_a_second_history_of_loans_changes_what_the_sheet_says(tmp_path: Path, library: str, key: str) -> None:
    sheet = make(library, 3_000, tmp_path)
    one, two = (next(answer for answer in sheet.files if answer.table == "loan" and answer.day == day) for day in (1, 2))
    before = {row[key]: row for row in rows(library, tmp_path / library / "day1" / one.file)}
    after = {row[key]: row for row in rows(library, tmp_path / library / "day2" / two.file)}
    changes = two.changes["loan"]
    for row in (*before.values(), *after.values()):  # the lake cuts the link to the patron before the library does
        row.update({"lener": "", "pasnummer": "", "borrowernumber": ""})
    assert changes.added == len(after.keys() - before.keys()) > 0
    assert changes.changed == sum(before[number] != after[number] for number in before.keys() & after.keys())
    assert changes.unchanged == (len(before) - changes.changed if library == "molendal" else 0)


def test_patrons_of_the_second_day_change_as_the_sheet_says(tmp_path: Path) -> None:
    for library, key in (("almvik", "id"), ("molendal", "bc1val")):
        sheet = make(library, 5_000, tmp_path)
        one, two = (next(answer for answer in sheet.files if answer.table == "patron" and answer.day == day) for day in (1, 2))
        before = {row[key]: row for row in rows(library, tmp_path / library / "day1" / one.file)}
        after = {row[key]: row for row in rows(library, tmp_path / library / "day2" / two.file)}
        changes = two.changes["patron_identity"]
        assert changes.changed == sum(before[number] != after[number] for number in before.keys() & after.keys())
        assert (changes.added, changes.deleted) == (len(after.keys() - before.keys()), len(before.keys() - after.keys()))


def test_old_bytes_come_again_under_another_name(made: Made) -> None:
    again = [answer for sheet in made[1].values() for answer in sheet.files if answer.outcome == "duplicate"]
    assert {answer.file for answer in again} == {"items_20260831_kopi.csv", "loans_20260831_igen.csv"}
    for sheet in made[1].values():
        for answer in sheet.files:
            if answer.outcome == "duplicate":
                assert answer.sha256 in {other.sha256 for other in sheet.files if other.day == 1}


@pytest.mark.parametrize("seed", [1, 2])
def test_a_day_without_an_event_is_a_file_with_a_header_and_nothing_else(tmp_path: Path, seed: int) -> None:
    sheet = make("lindeby", SMALL, tmp_path, seed=seed, only=["loan", "item"])
    [answer] = [one for one in sheet.files if (one.table, one.day) == ("loan", 2)]
    assert (answer.records, answer.outcome) == (0, "published")
    with zipfile.ZipFile(tmp_path / "lindeby" / "day2" / answer.file) as packed:
        [name] = packed.namelist()
        assert packed.read(name).decode("utf-8-sig").splitlines()[0].startswith("Udlånsnr;")
