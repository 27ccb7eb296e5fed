"""Binding: patrons become pseudonyms, cards and merged patrons aliases, and what nobody told of yet gets a placeholder."""

from __future__ import annotations

from datetime import date
from typing import Any

import pyarrow as pa

from connectors.ils import incoming
from connectors.ils.bind import BindContext, bind
from include.engine.contract.arrow import arrow_schema
from include.engine.contract.loading import load
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.privacy.pseudonym import Pseudonyms

NAMES = Pseudonyms(MemoryKeyStore(), "lindeby", "lake")
FLAGS = {"institution": False, "protected": False, "blocked": False, "deleted": False}
LOAN = {"event": "loan", "event_id": "once", "kind": "home", "loaned_on": date(2026, 1, 2), "renewals": 0}


def context(**lake: list[dict[str, Any]]) -> BindContext:
    def lookup(table: str, columns: list[str]) -> pa.Table:
        return pa.Table.from_pylist(lake.get(table, []), schema=arrow_schema(load(table))).select(columns)

    return BindContext("lindeby", NAMES, lookup, date(2026, 11, 21))


def batch(table: str, *rows: dict[str, Any]) -> pa.RecordBatch:
    placed = [{"_member": "", "_record": number, "_offset": 0, "_length": 1} | row for number, row in enumerate(rows, start=1)]
    return pa.RecordBatch.from_pylist(placed, schema=incoming.schema(table))


def bound(table: str, *rows: dict[str, Any], to: BindContext | None = None) -> dict[str, list[dict[str, Any]]]:
    result = bind(table, batch(table, *rows), to or context())
    for part in result:
        wanted = arrow_schema(load(part.table))
        assert part.rows.select(wanted.names).schema.equals(wanted), part.table
        assert {"_member", "_record"} <= set(part.rows.column_names)
        for column in load(part.table).columns:
            assert not column.required or part.rows.column(column.name).null_count == 0, (part.table, column.name)
    return {part.table: part.rows.to_pylist() for part in result}


def loan(number: int, **more: Any) -> dict[str, Any]:
    return LOAN | {"loan_id": f"L{number}", "item_id": f"I{number}"} | more


def test_a_patron_is_parted_into_pseudonym_identity_and_aliases() -> None:
    patron = FLAGS | {
        "patron_id": "17",
        "name": "Ib Vang",
        "birth_date": date(2010, 5, 1),
        "card_numbers": ["C1", "C2", "C1"],
        "national_id": "0105104321",
    }
    tables = bound("patron", patron)
    row = tables["patron"][0]
    assert (row["patron"], row["birth_year"], row["minor"], row["placeholder"], row["partner"]) == (
        NAMES.one("17"),
        2010,
        True,
        False,
        "lindeby",
    )
    assert not any(secret in map(str, row.values()) for secret in ("17", "Ib Vang", "0105104321", "C1", "2010-05-01"))
    assert tables["patron_identity"][0]["national_id"] == "0105104321"
    assert [(alias["alias"], alias["patron"], alias["kind"]) for alias in tables["patron_alias"]] == [
        (NAMES.one("C1", "card"), NAMES.one("17"), "card"),
        (NAMES.one("C2", "card"), NAMES.one("17"), "card"),
    ]


def test_one_is_a_minor_until_the_eighteenth_birthday() -> None:
    days = [date(2008, 11, 22), date(2008, 11, 21), None]
    rows = bound("patron", *(FLAGS | {"patron_id": str(n), "birth_date": day} for n, day in enumerate(days)))["patron"]
    assert [row["minor"] for row in rows] == [True, False, False]


def test_a_merged_patron_is_an_alias_of_the_other() -> None:
    tables = bound("patron", FLAGS | {"patron_id": "17", "merged_into": "18"})
    assert tables["patron"][0]["merged_into"] == NAMES.one("18")
    assert [(row["alias"], row["patron"], row["kind"]) for row in tables["patron_alias"]] == [(NAMES.one("17"), NAMES.one("18"), "merged")]


def test_a_loan_names_its_patron_by_pseudonym_alone() -> None:
    row = bound("loan", loan(1, patron_id="17"))["loan"][0]
    assert (row["patron"], row["key_id"], row["patron_is_alias"]) == (NAMES.one("17"), NAMES.key_id, False)
    assert "patron_id" not in row
    assert "card_number" not in row


def test_a_loan_of_nobody_stays_a_loan() -> None:
    row = bound("loan", loan(1))["loan"][0]
    assert (row["patron"], row["key_id"], row["patron_is_alias"]) == (None, None, False)


def test_a_card_leads_to_its_patron() -> None:
    known = {"partner": "lindeby", "alias": NAMES.one("C1", "card"), "patron": NAMES.one("17"), "kind": "card"}
    tables = bound("loan", loan(1, card_number="C1"), to=context(patron_alias=[known]))
    assert (tables["loan"][0]["patron"], tables["loan"][0]["patron_is_alias"]) == (NAMES.one("17"), False)


def test_an_unknown_card_is_taken_in_as_an_alias_and_said() -> None:
    found = bind("loan", batch("loan", loan(1, card_number="C9")), context())
    row = found[0].rows.to_pylist()[0]
    assert (row["patron"], row["patron_is_alias"], found[0].warnings) == (NAMES.one("C9", "card"), True, {"CARD_UNRESOLVED": 1})
    assert "patron" not in {part.table for part in found}, "a card is no patron"


def test_a_chain_of_merges_is_followed_and_a_circle_ends() -> None:
    def merge(one: str, other: str) -> dict[str, Any]:
        return {"partner": "lindeby", "alias": NAMES.one(one), "patron": NAMES.one(other), "kind": "merged"}

    chain = context(patron_alias=[merge("1", "2"), merge("2", "3")])
    assert bound("loan", loan(1, patron_id="1"), to=chain)["loan"][0]["patron"] == NAMES.one("3")
    circle = context(patron_alias=[merge("1", "2"), merge("2", "1")])
    assert bound("loan", loan(1, patron_id="1"), to=circle)["loan"][0]["patron"] in (NAMES.one("1"), NAMES.one("2"))


def test_unknown_items_and_patrons_get_one_placeholder_in_a_delivery() -> None:
    known = {"partner": "lindeby", "item_id": "I1", "status": "available", "placeholder": False}
    one = context(item=[known])
    first = bound("loan", loan(1, patron_id="17"), loan(2, patron_id="17"), loan(2, event="return"), to=one)
    assert [(row["item_id"], row["status"], row["placeholder"], row["_record"]) for row in first["item"]] == [("I2", "unknown", True, 2)]
    assert [(row["patron"], row["placeholder"]) for row in first["patron"]] == [(NAMES.one("17"), True)]
    second = bound("loan", loan(2, patron_id="17"), loan(3), to=one)
    assert [row["item_id"] for row in second["item"]] == ["I3"]
    assert "patron" not in second


def test_a_barcode_leads_to_its_item() -> None:
    known = {"partner": "lindeby", "item_id": "I7", "barcode": "B7", "status": "available", "placeholder": False}
    tables = bound("loan", loan(1, item_id=None, barcode="B7"), loan(2, item_id=None, barcode="B8"), to=context(item=[known]))
    assert [row["item_id"] for row in tables["loan"]] == ["I7", None]
    assert "item" not in tables


def test_holds_fees_and_catalogue_are_bound_too() -> None:
    hold = {"hold_id": "H", "patron_id": "17", "item_id": "I1", "placed_on": date(2026, 1, 1), "status": "waiting"}
    assert bound("hold", hold)["hold"][0]["patron"] == NAMES.one("17")
    fee = {
        "fee_id": "F",
        "patron_id": "17",
        "kind": "lost",
        "amount": 5,
        "outstanding": 5,
        "currency": "DKK",
        "incurred_on": date(2026, 1, 1),
    }
    assert bound("fee", fee)["fee"][0]["patron"] == NAMES.one("17")
    item = {"item_id": "I1", "status": "available", "placeholder": False}
    assert bound("item", item) == {"item": bound("item", item)["item"]}
    assert bound("item", item)["item"][0]["partner"] == "lindeby"
