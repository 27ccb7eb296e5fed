"""Releases over a lake of a handful of loans: what counts, what is published, and how it appears."""

from __future__ import annotations

import multiprocessing
import os
import random
import signal
import threading
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from connectors.adhl.pid import LONGEST, catalogue, is_pid
from connectors.adhl.relations.edges import least_of
from connectors.adhl.relations.manifest import read_manifest
from connectors.adhl.relations.release import ReleaseReport, release
from connectors.adhl.relations.settings import Settings
from include.engine import snapshots
from include.engine.contract.model import Contract
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.errors import BinderyError, Refused, SettingsError
from include.engine.snapshots import differences, latest, only_one
from tests.connectors.adhl.relations.small_lake import counted, house, loan, pseudonym, readers, relations, title

OPEN = Settings(spread=1, memory="256MB", threads=1)
"""No secret: what has five patrons is shown, so that a test can say what must be there."""


def folder(report: ReleaseReport, home: Path) -> Path:
    assert report.manifest is not None
    return home / "adhl_relations" / report.manifest.path


def test_a_relation_is_counted_by_patrons_not_by_loans(tmp_path: Path) -> None:
    four_who_borrow_often = [*readers(4, "100", "200"), *readers(4, "100", "200"), *readers(4, "200")]
    report = release(house(tmp_path, [*four_who_borrow_often, *readers(5, "300", "400", first=10)], settings=OPEN))
    assert relations(folder(report, tmp_path)) == {("300", "400"): 1}


def test_the_published_relations_are_those_that_a_plain_count_gives(tmp_path: Path) -> None:
    draw = random.Random(5)
    loans = [(f"p{draw.randrange(60)}", f"{100 + int(draw.random() ** 2 * 25)}") for _ in range(1500)]
    report = release(house(tmp_path, [loan(*one) for one in loans], settings=OPEN))
    least = least_of(OPEN)
    wanted = {pair: int(np.searchsorted(least, count, side="right")) for pair, count in counted(loans).items() if count >= 5}
    assert len(wanted) > 100
    assert relations(folder(report, tmp_path)) == wanted


def test_behind_secret_edges_some_of_few_patrons_are_withheld_and_none_of_many(tmp_path: Path) -> None:
    few = [one for pair in range(40) for one in readers(6, f"a{pair}", f"b{pair}", first=100 * pair)]
    many = readers(9, "c1", "c2", first=9000)
    shown = relations(folder(release(house(tmp_path, [*few, *many])), tmp_path))
    assert ("c1", "c2") in shown
    assert 1 < len(shown) < 41


def test_only_home_loans_of_persons_count_and_the_rest_is_told_by_reason(tmp_path: Path) -> None:
    five = readers(5, "100", "200")
    others = [
        *({**one, "event": "renewal"} for one in readers(5, "100", "301", first=10)),
        *({**one, "event": "return"} for one in readers(5, "100", "302", first=10)),
        *({**one, "kind": kind} for kind in ("in_library", "interlibrary", "institution", "e_loan") for one in readers(5, "100", "303")),
        *({**one, "patron": None} for one in readers(5, "100", "304", first=10)),
        *({**one, "patron": pseudonym(f"school {number}")} for number, one in enumerate(readers(5, "100", "305"))),
        *(loan(f"reader {number}", None) for number in range(5)),
        loan("reader 1", "- -"),
    ]
    schools = [{"patron": pseudonym(f"school {number}"), "institution": True} for number in range(10)]
    report = release(house(tmp_path, [*five, *others], patron=schools, settings=OPEN))
    assert relations(folder(report, tmp_path)) == {("100", "200"): 1}
    assert report.loans == 10
    assert report.left_out["lindeby"] == {
        "anonymous": 10, "e_loan": 10, "in_library": 10, "institution": 10, "institution_card": 10, "interlibrary": 10,
        "no_title": 6, "renewal": 10, "return": 10,
    }  # fmt: skip


def test_a_loan_finds_its_title_by_item_or_barcode_and_a_card_its_patron(tmp_path: Path) -> None:
    items = [{"item_id": f"i{number}", "barcode": f"b{number}", "control_number": number} for number in ("100", "200")]
    loans = [loan(f"p{n}", None, item_id="i100") for n in range(5)] + [loan(f"card of p{n}", None, barcode="b200") for n in range(5)]
    alias = [{"alias": pseudonym(f"card of p{n}"), "patron": pseudonym(f"old p{n}")} for n in range(5)]
    merged = [{"patron": pseudonym(f"old p{n}"), "merged_into": pseudonym(f"p{n}")} for n in range(5)]
    report = release(house(tmp_path, loans, item=items, patron=merged, patron_alias=alias, settings=OPEN))
    assert relations(folder(report, tmp_path)) == {("100", "200"): 1}
    assert report.patrons == 5


def test_libraries_of_one_national_number_share_a_title_and_others_have_their_own(tmp_path: Path) -> None:
    def at(partner: str, loans: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**one, "partner": partner} for one in loans]

    loans = [
        *readers(3, "5 100-1", "200"),
        *at("vestby", readers(3, "51001", "200", first=50)),
        *at("havnsund", readers(5, "51001", "200")),
    ]
    made = house(tmp_path, loans, settings=OPEN)
    shown = folder(release(replace(made, catalogues={**made.catalogues, "vestby": "870970-basis"})), tmp_path)
    pids = pq.read_table(shown / "title")["pid"].to_pylist()
    assert pids == ["870970-basis:200", "870970-basis:51001", "899002-katalog:200", "899002-katalog:51001"]
    assert pq.read_table(shown / "relation").num_rows == 2


@pytest.mark.parametrize(
    ("agency", "stands"),
    [
        ("799001", "870970-basis"),
        ("DK-799001", "870970-basis"),
        ("899002", "899002-katalog"),
        ("Almv", "Almv-katalog"),
        (None, "me-katalog"),
    ],
)
def test_a_public_librarys_titles_are_the_national_ones(agency: str | None, stands: str) -> None:
    assert catalogue(agency, "me") == stands
    assert is_pid(f"{stands}:12345678")


def test_of_a_patron_with_very_many_titles_the_newest_count_and_one_with_too_many_is_no_person(tmp_path: Path) -> None:
    settings = replace(OPEN, most_titles=3, institution_titles=6)
    days = [date(2026, 1, day) for day in range(1, 8)]
    avid = [loan(f"avid {n}", f"t{day.day}", loaned_on=day) for n in range(5) for day in days[:5]]
    machine = [loan(f"machine {n}", f"m{day.day}", loaned_on=day) for n in range(5) for day in days]
    report = release(house(tmp_path, [*avid, *machine], settings=settings))
    assert set(relations(folder(report, tmp_path))) == {("t3", "t4"), ("t3", "t5"), ("t4", "t5")}
    assert report.left_out["all"] == {
        "patrons_who_are_no_person": 5,
        "titles_of_patrons_who_are_no_person": 35,
        "titles_of_patrons_with_very_many": 10,
    }


def test_after_an_erasure_every_published_file_is_the_same_to_the_byte(tmp_path: Path) -> None:
    keys, loans = MemoryKeyStore(), [*readers(12, "100", "200", "300"), *readers(5, "400", "500", first=50)]
    texts = [title(number) for number in ("100", "200", "300", "400", "500")]
    one = release(house(tmp_path, loans, keys=keys, bibliographic=texts))
    erased = [row for row in loans if row["patron"] not in {pseudonym("reader 0"), pseudonym("reader 50"), pseudonym("reader 51")}]
    two = release(house(tmp_path, erased, keys=keys, bibliographic=texts, version=2))
    assert one.manifest and two.manifest and two.made
    assert two.manifest.files == one.manifest.files
    assert two.manifest.rows["relation"] >= 3


def test_what_a_title_is_called_does_not_tell_that_its_readers_have_gone(tmp_path: Path) -> None:
    keys, stay = MemoryKeyStore(), readers(12, "300", "400", first=50)
    numbers = ("100", "200", "300", "400")
    release(house(tmp_path, [*readers(12, "100", "200"), *stay], keys=keys, bibliographic=[title(one) for one in numbers]))
    anew = [title(one, title=f"Second edition of {one}") for one in numbers]
    after = release(house(tmp_path, stay, keys=keys, bibliographic=anew, version=2))
    assert pq.read_table(folder(after, tmp_path) / "title")["title"].to_pylist() == [f"Second edition of {one}" for one in numbers]


def test_a_new_edition_begins_anew(tmp_path: Path) -> None:
    keys = MemoryKeyStore()
    release(house(tmp_path, readers(20, "100", "200"), keys=keys))
    after = release(house(tmp_path, readers(20, "300", "400"), keys=keys, version=2))
    assert set(relations(folder(after, tmp_path))) == {("100", "200"), ("300", "400")}
    anew = release(house(tmp_path, readers(20, "300", "400"), keys=keys, version=2, settings=Settings(edition="2027")))
    assert set(relations(folder(anew, tmp_path))) == {("300", "400")}


def test_an_unchanged_lake_makes_no_release_and_an_empty_one_none_either(tmp_path: Path) -> None:
    assert "lake is empty" in str(release(replace(house(tmp_path, []), source=house(tmp_path, [], version=0).source.__class__({}, {}, {}))))
    one = release(house(tmp_path, readers(9, "100", "200")))
    again = release(house(tmp_path, readers(9, "100", "200")))
    assert (one.made, again.made) == (True, False)
    assert again.manifest == one.manifest
    assert release(house(tmp_path, readers(9, "100", "200")), even_unchanged=True).made


def test_the_manifest_names_every_file_and_no_exact_number_of_loans_or_patrons(tmp_path: Path) -> None:
    report = release(house(tmp_path, [*readers(83, "100", "200"), loan("reader 1", None)]))
    assert report.manifest is not None
    assert differences(folder(report, tmp_path), report.manifest.files) == []
    assert (report.patrons, report.loans) == (83, 166)
    text = report.manifest.to_json().decode()
    assert "83" not in text.replace(report.manifest.fingerprint, "").replace(report.manifest.snapshot, "").partition('"files"')[0]
    assert "left_out" not in text
    assert read_manifest(folder(report, tmp_path) / "manifest.json") == report.manifest
    assert latest(tmp_path / "adhl_relations", read_manifest) == report.manifest


def test_no_pseudonym_is_in_any_published_file(tmp_path: Path) -> None:
    report = release(house(tmp_path, readers(30, "100", "200", "300")))
    needles = [pseudonym(f"reader {number}").encode() for number in range(30)]
    for file in (tmp_path / "adhl_relations").rglob("*"):
        if file.is_file():
            content = file.read_bytes()
            assert not any(needle in content or bytes.fromhex(needle.decode()) in content for needle in needles), file
    assert sorted(path.name for path in (tmp_path / "adhl_relations").iterdir()) == [".lock", "latest.json", "snapshots"]
    assert report.made


def test_a_broken_contract_leaves_the_standing_release_in_place(tmp_path: Path) -> None:
    keys = MemoryKeyStore()
    one = release(house(tmp_path, readers(20, "100", "200"), keys=keys))
    other = house(tmp_path, readers(20, "100", "300"), keys=keys, version=2)
    rules = tuple(
        replace(rule, kwargs={**rule.kwargs, "min_value": 50}) if rule.id == "relation_at_least_five" else rule
        for rule in other.contracts["relation"].rules
    )
    strict: Contract = replace(other.contracts["relation"], rules=rules)
    with pytest.raises(Refused) as refused:
        release(replace(other, contracts={**other.contracts, "relation": strict}))
    assert refused.value.code == "ADHL_GATE_CLOSED"
    assert latest(tmp_path / "adhl_relations", read_manifest) == one.manifest


def test_a_control_number_that_no_pid_can_hold_is_left_out(tmp_path: Path) -> None:
    loans = [*readers(9, "100", "200"), *readers(9, "100", "2" * LONGEST), *readers(9, "100", "<script>")]
    report = release(house(tmp_path, loans, settings=OPEN))
    assert set(relations(folder(report, tmp_path))) == {("100", "200")}
    assert report.left_out["lindeby"] == {"no_title": 18}


@pytest.mark.parametrize(
    "wrong",
    [{"BINDERY_ADHL_THRESHOLD": "4"}, {"BINDERY_ADHL_SPREAD": "0"}, {"BINDERY_ADHL_KEEP": "some"}, {"BINDERY_ADHL_MOST_TITLES": "1"}],
)
def test_a_setting_that_cannot_be_used_is_named(wrong: dict[str, str]) -> None:
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        Settings.of_environment(wrong)


def test_settings_come_from_the_environment() -> None:
    found = Settings.of_environment(
        {"BINDERY_ADHL_THRESHOLD": "7", "BINDERY_ADHL_EDITION": "2027", "BINDERY_ADHL_MEMORY": "4GB", "OTHER": "1"}
    )
    assert (found.threshold, found.edition, found.memory, found.keep) == (7, "2027", "4GB", 4)


def test_a_second_release_waits_for_the_first_and_then_says_so(tmp_path: Path) -> None:
    busy, done = threading.Event(), threading.Event()

    def hold() -> None:
        with only_one(tmp_path / "adhl_relations", 0, what="release", code="ADHL_RELATIONS_BUSY"):
            busy.set()
            done.wait(300)

    holder = threading.Thread(target=hold)
    holder.start()
    try:
        assert busy.wait(60)
        with pytest.raises(BinderyError) as refused:
            release(house(tmp_path, readers(9, "100", "200"), settings=replace(OPEN, lock_wait_s=0.3)))
        assert refused.value.code == "ADHL_RELATIONS_BUSY"
    finally:
        done.set()
        holder.join()
    assert release(house(tmp_path, readers(9, "100", "200"), settings=OPEN)).made


def _killed(home: Path) -> None:
    """A release that dies when everything is made and nothing of it is there."""
    snapshots.appear = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    release(house(home, readers(9, "100", "200"), settings=OPEN))


def test_what_a_killed_release_left_is_swept_up_by_the_next(tmp_path: Path) -> None:
    process = multiprocessing.get_context("spawn").Process(target=_killed, args=(tmp_path,))
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert list(tmp_path.glob("adhl_relations/.making-*/*/index"))
    assert latest(tmp_path / "adhl_relations", read_manifest) is None
    assert release(house(tmp_path, readers(9, "100", "200"), settings=OPEN)).made
    assert not list(tmp_path.glob("adhl_relations/.making-*"))
