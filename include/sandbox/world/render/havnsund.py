"""Havnsund's exports: CSV out of Koha's tables (include/profiles/koha.yaml); the items are in the records' 952."""

from __future__ import annotations

import numpy as np

from include.sandbox.world import ids
from include.sandbox.world.loans import IN_LIBRARY, INTERLIBRARY, Loans, anonymous
from include.sandbox.world.patrons import Patrons
from include.sandbox.world.people import minor
from include.sandbox.world.render.lines import Columns, Fault, Layout
from include.sandbox.world.render.values import code, day, moment, money
from include.sandbox.world.requests import CANCELLED, Fees, Holds
from include.sandbox.world.text import blank, either, whole
from include.sandbox.world.world import World

LAYOUT = Layout(quoted=frozenset({"address", "surname"}))
DAY = "%Y-%m-%d"
ANONYMOUS = "99"
"""The borrowernumber that the system preference AnonymousPatron names at this library."""
NO_TIME = "0000-00-00 00:00:00"

LOAN_FAULTS = [
    Fault("loaned_in_the_future", "LOAN_IN_FUTURE", {"issuedate": "2062-11-02 10:15:00", "date_due": NO_TIME, "returndate": NO_TIME}),
    Fault("no_such_date", "DATE_UNREADABLE", {"issuedate": "2026-02-30 10:15:00"}),
    Fault("no_item", "LOAN_WITHOUT_ITEM", {"itemnumber": None, "barcode": None}),
    Fault("row_too_long", "ROW_RAGGED", row="long"),
    Fault(
        "returned_before_lent",
        "RETURN_BEFORE_LOAN",
        {"issuedate": "2026-03-14 12:00:00", "date_due": NO_TIME, "returndate": "2026-03-01 12:00:00"},
    ),
    Fault("same_row_again", "DUPLICATE_ROW"),
    Fault("no_number", "KEY_MISSING", {"issue_id": None}),
    Fault("renewals_in_words", "NUMBER_UNREADABLE", {"renewals_count": "to"}),
]
PATRON_FAULTS = [
    Fault("born_in_the_future", "BIRTH_IN_FUTURE", {"dateofbirth": "2093-01-01"}),
    Fault("no_such_date", "DATE_UNREADABLE", {"dateofbirth": "1981-02-30"}),
    Fault("row_too_short", "ROW_RAGGED", row="short"),
    Fault("byte_of_another_charset", "CHARSET_WRONG", row="not_utf8"),
]
HOLD_FAULTS = [Fault("no_title", "HOLD_WITHOUT_TITLE", {"biblionumber": None, "itemnumber": None})]
FEE_FAULTS = [Fault("in_the_future", "FEE_IN_FUTURE", {"date": "2062-11-02", "settled_on": None})]


def loans(world: World, rows: Loans, on: int) -> Columns:
    """issues and old_issues together as they stand at the end of day `on`; an open loan has a zero date of return."""
    back = rows.end <= on
    nobody = anonymous(world, rows, on)
    foreign = rows.kind == INTERLIBRARY
    renewals = np.where(back, rows.renewals, np.clip((on - rows.day - 1) // world.library.loan_days, 0, rows.renewals))
    return {
        "issue_id": ids.loan_id(world, rows.ordinal),
        "borrowernumber": either(nobody, ANONYMOUS, ids.patron_id(world, rows.patron)),
        "itemnumber": either(foreign, ids.foreign_item(world, rows.ordinal), ids.item_id(world, rows.item)),
        "barcode": blank(ids.barcode(world, rows.item), foreign),
        "issuedate": moment(rows.day, rows.second, DAY, with_seconds=True),
        "date_due": moment(rows.day + world.library.loan_days * (renewals + 1), np.full(len(rows), 86_340), DAY, with_seconds=True),
        "returndate": either(back, moment(rows.end, rows.end_second, DAY, with_seconds=True), NO_TIME),
        "branchcode": either(foreign, "ILL", ids.branch_code(world, rows.lending)),
        "checkin_library": blank(ids.branch_code(world, rows.returning), ~back),
        "onsite_checkout": code(["0", "1"], (rows.kind == IN_LIBRARY).astype(np.int64)),
        "renewals_count": whole(renewals),
    }


def patrons(world: World, rows: Patrons) -> Columns:
    return {
        "borrowernumber": rows.patron_id,
        "cardnumber": rows.card,
        "surname": rows.last_name,
        "firstname": rows.first_name,
        "email": rows.email,
        "phone": rows.phone,
        "address": rows.address,
        "zipcode": rows.postal_code,
        "city": rows.city,
        "dateofbirth": day(rows.birth_day, DAY, ~rows.institution),
        "sex": code(["F", "M"], rows.male.astype(np.int64), ~rows.institution),
        "categorycode": code(["ADULT", "CHILD", "SENIOR", "INST", "STUDENT", "STAFF"], rows.category),
        "category_type": code(["A", "C", "A", "I", "A", "S"], rows.category),
        "branchcode": ids.branch_code(world, rows.branch),
        "guarantorid": blank(ids.patron_id(world, np.maximum(rows.guardian, 0)), ~minor(rows.index)),
        "dateexpiry": day(rows.valid_until, DAY),
        "debarred": day(rows.valid_until, DAY, rows.blocked),
        "deleted": code(["0", "1"], (rows.merged_into >= 0).astype(np.int64)),
    }


def holds(world: World, rows: Holds) -> Columns:
    return {
        "reserve_id": ids.hold_id(world, rows.index),
        "borrowernumber": ids.patron_id(world, rows.patron),
        "biblionumber": ids.control_number(world, rows.title),
        "itemnumber": blank(ids.item_id(world, np.maximum(rows.item, 0)), rows.item < 0),
        "reservedate": day(rows.placed, DAY),
        "branchcode": ids.branch_code(world, rows.pickup),
        "found": code([None, "W", "T", None, "F", None], rows.status),
        "cancellationdate": either(rows.status == CANCELLED, day(rows.placed + 1, DAY), "0000-00-00"),
        "expirationdate": day(rows.expires, DAY),
        "filled_on": day(rows.filled, DAY, rows.filled >= 0),
    }


def fees(world: World, rows: Fees) -> Columns:
    return {
        "accountlines_id": ids.fee_id(world, rows.ordinal),
        "borrowernumber": ids.patron_id(world, rows.patron),
        "itemnumber": ids.item_id(world, rows.item),
        "debit_type_code": code(["OVERDUE", "LOST", "RESERVE", "NEW_CARD"], rows.kind),
        "amount": money(rows.amount, "."),
        "amountoutstanding": money(rows.outstanding, "."),
        "date": day(rows.incurred, DAY),
        "settled_on": day(rows.settled, DAY, rows.settled >= 0),
    }
