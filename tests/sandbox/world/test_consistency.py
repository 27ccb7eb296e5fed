"""A made-up library agrees with itself: loans name its items and patrons, one item is lent once at a time, numbers are test numbers."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest
from stdnum.be import nn
from stdnum.dk import cpr
from stdnum.nl import bsn
from stdnum.se import personnummer

from include.sandbox.world import make, numbers, people, world
from include.sandbox.world.events import RENEWAL, RETURN, events
from include.sandbox.world.ids import numbers as indices
from include.sandbox.world.libraries import LIBRARIES
from include.sandbox.world.loans import E_LOAN, INTERLIBRARY, loans
from include.sandbox.world.patrons import patrons
from include.sandbox.world.world import day_number
from tests.sandbox.world.reading import rows


@pytest.mark.parametrize("library", LIBRARIES)
@pytest.mark.parametrize("count", [1_000, 1_234, 20_000])
def test_there_are_exactly_as_many_loans_as_asked_for_in_order_of_time(library: str, count: int) -> None:
    seen, last = 0, (0, 0)
    for chunk in loans(world(library, count)):
        assert chunk.ordinal.tolist() == list(range(seen, seen + len(chunk)))
        moments = list(zip(chunk.day.tolist(), chunk.second.tolist(), strict=True))
        assert moments == sorted(moments) and moments[0] >= last
        seen, last = seen + len(chunk), moments[-1]
    assert seen == count


def test_the_size_of_a_chunk_changes_nothing() -> None:
    made = world("lindeby", 5_000)
    large, small = list(loans(made)), list(loans(made, chunk=100))
    assert len(large) < len(small)
    for name in type(large[0]).__dataclass_fields__:
        assert np.array_equal(
            np.concatenate([getattr(one, name) for one in large]), np.concatenate([getattr(one, name) for one in small])
        ), name


def test_loans_of_some_days_are_those_of_all_days() -> None:
    made = world("molendal", 5_000)
    first, last = day_number(date(2025, 3, 1)), day_number(date(2025, 4, 30))
    some = np.concatenate([chunk.ordinal for chunk in loans(made, first, last)])
    every = np.concatenate([chunk.ordinal[(chunk.day >= first) & (chunk.day <= last)] for chunk in loans(made)])
    assert np.array_equal(some, every)


def test_no_item_is_lent_twice_at_once() -> None:
    found = list(loans(world("almvik", 30_000)))
    item, start, end = (np.concatenate([getattr(chunk, name) for chunk in found]) for name in ("item", "day", "end"))
    order = np.lexsort((start, item))
    item, start, end = item[order], start[order], end[order]
    same = item[1:] == item[:-1]
    assert same.any()
    assert (start[1:] >= end[:-1])[same].all()


def test_a_few_items_and_patrons_have_most_of_the_loans() -> None:
    made = world("lindeby", 50_000)
    found = list(loans(made))
    for name, size, share in (("item", made.items, 0.25), ("patron", made.patrons, 0.25)):
        counts = np.sort(np.bincount(np.concatenate([getattr(chunk, name) for chunk in found]), minlength=size))[::-1]
        assert counts[: size // 10].sum() > share * counts.sum()


def test_events_tell_each_loan_its_renewals_and_its_return_in_order() -> None:
    made = world("lindeby", 5_000)
    last = day_number(made.last)
    found = list(events(made))
    day, second = (np.concatenate([getattr(chunk, name) for chunk in found]) for name in ("day", "second"))
    moment = day * 86_400 + second
    assert (np.diff(moment) >= 0).all()
    event, ordinal = np.concatenate([chunk.event for chunk in found]), np.concatenate([chunk.loan.ordinal for chunk in found])
    every = list(loans(made))
    assert (event == 0).sum() == 5_000
    assert (event == RETURN).sum() == sum(int((chunk.end <= last).sum()) for chunk in every)
    assert 0 < (event == RENEWAL).sum() < 3_000
    started = dict(zip(ordinal[event == 0].tolist(), moment[event == 0].tolist(), strict=True))
    assert all(started[number] < when for number, when in zip(ordinal[event > 0].tolist(), moment[event > 0].tolist(), strict=True))


def test_events_of_a_day_are_the_last_of_the_events_up_to_it() -> None:
    made = world("lindeby", 5_000)
    day = day_number(made.last) - 40
    some = np.concatenate([chunk.loan.ordinal * 4 + chunk.event for chunk in events(made, day, day)])
    every = np.concatenate([(chunk.loan.ordinal * 4 + chunk.event)[chunk.day == day] for chunk in events(made)])
    assert np.array_equal(some, every)


def test_loans_name_items_and_patrons_of_the_library(tmp_path: Path) -> None:
    sheet = make("lindeby", 3_000, tmp_path, two_days=False)
    files = {
        answer.table: rows("lindeby", tmp_path / "lindeby" / "day1" / answer.file)
        for answer in sheet.files
        if answer.file.endswith(("csv", "zip"))
    }
    items, people_ = {row["Eksemplarnr"] for row in files["item"]}, {row["Lånernr"] for row in files["patron"]}
    cards = {card for row in files["patron"] for card in row["Kortnumre"].split("|")}
    loan = next(answer for answer in sheet.files if answer.table == "loan")
    unknown = [row["Eksemplarnr"] for row in files["loan"] if row["Eksemplarnr"] and row["Eksemplarnr"] not in items]
    assert (len(unknown), len(set(unknown))) == (loan.unknown_item_rows, loan.unknown_items)
    assert loan.unknown_items > 0
    assert {row["Lånernr"] for row in files["loan"]} - {""} <= people_
    assert {row["Kortnummer"] for row in files["loan"]} - {""} <= cards
    assert {row["Lånernr"] for table in ("hold", "fee") for row in files[table]} <= people_
    assert {row["Værge"] for row in files["patron"]} - {""} <= people_
    assert {row["Sammenlagt med"] for row in files["patron"]} - {""} <= people_
    assert any(not row["Lånernr"] for row in files["loan"])


def test_loans_out_are_items_on_loan(tmp_path: Path) -> None:
    made = world("lindeby", 5_000)
    make("lindeby", 5_000, tmp_path, only=["item"], two_days=False)
    last = day_number(made.last)
    out = np.concatenate([chunk.item[(chunk.end > last) & ~np.isin(chunk.kind, (E_LOAN, INTERLIBRARY))] for chunk in loans(made)])
    on_loan = [row for row in rows("lindeby", tmp_path / "lindeby" / "day1" / "items_20260831.csv") if row["Status"] == "Udlånt"]
    assert len(on_loan) == len(np.unique(out)) > 0


@pytest.mark.parametrize(
    ("library", "valid"),
    [
        ("lindeby", cpr.is_valid),
        ("almvik", personnummer.is_valid),
        ("molendal", lambda number: nn.is_valid(number) or bsn.is_valid(number)),
    ],
)
def test_identity_numbers_have_the_right_form_and_are_nobodys(library: str, valid: object) -> None:
    made = world(library, 100_000)
    found = [number for number in patrons(made, indices(0, made.patrons)).national_id.to_pylist() if number]
    assert len(found) > 0.8 * made.patrons
    assert len(found) == len(set(found))
    assert callable(valid) and all(valid(number) for number in found)
    if library == "almvik":
        assert all(980 <= int(number[8:11]) <= 999 for number in found)


def test_most_cpr_numbers_fail_modulus_11_and_some_pass_it() -> None:
    made = world("havnsund", 100_000)
    found = [number for number in patrons(made, indices(0, made.patrons)).national_id.to_pylist() if number]
    passing = sum(cpr.checksum(number) == 0 for number in found)
    assert 0 < passing < len(found) / 2
    assert all(number[6] in "39" and number[7] == "9" for number in found)


def test_families_have_guardians_institutions_and_protected_people() -> None:
    made = world("lindeby", 100_000)
    everybody = indices(0, made.patrons)
    guardian, minor = people.guardian(made, everybody), people.minor(everybody)
    assert ((guardian >= 0) == minor).all()
    assert not people.minor(guardian[minor]).any() and not people.institution(made, guardian[minor]).any()
    assert (numbers.calendar(people.birth_day(made, everybody[minor]))[0] > 2008).all()
    shown = patrons(made, everybody)
    protected = people.protected(made, everybody)
    assert protected.any() and shown.address.filter(protected).null_count == protected.sum()
    assert people.institution(made, everybody).any() and people.merged(made, everybody).any()


def test_the_history_of_who_keeps_none_names_nobody_after_thirty_days(tmp_path: Path) -> None:
    sheet = make("havnsund", 2_000, tmp_path, only=["loan"], two_days=False)
    found = rows("havnsund", tmp_path / "havnsund" / "day1" / sheet.files[0].file)
    nobody = [row for row in found if row["borrowernumber"] == "99"]
    assert len(found) / 4 < len(nobody) < len(found) * 3 / 4
    assert all("2024" < row["returndate"] < "2026-08-02" for row in nobody)
