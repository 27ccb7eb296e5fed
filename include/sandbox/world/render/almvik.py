"""Almvik's exports: JSON lines in FOLIO's shapes (include/profiles/folio.yaml); holdings and items are in the records' 901 and 902."""

from __future__ import annotations

import numpy as np

from include.sandbox.world import ids
from include.sandbox.world.loans import INTERLIBRARY, Loans, anonymous
from include.sandbox.world.patrons import Patrons
from include.sandbox.world.people import minor
from include.sandbox.world.render.lines import Columns, Fault, Layout
from include.sandbox.world.render.values import code, day, money, utc, yes
from include.sandbox.world.requests import Fees, Holds
from include.sandbox.world.text import blank, either, whole
from include.sandbox.world.world import World

LAYOUT = Layout(
    format="jsonl",
    raw=frozenset({"renewalCount", "amount", "remaining", "active", "blocked", "customFields.protected"}),
)
DAY, YES = "%Y-%m-%d", ("true", "false")
MIDNIGHT = 0

LOAN_FAULTS = [
    Fault("loaned_in_the_future", "LOAN_IN_FUTURE", {"loanDate": "2062-11-02T10:15:00.000+00:00", "dueDate": None, "returnDate": None}),
    Fault("no_such_date", "DATE_UNREADABLE", {"loanDate": "2026-02-30T10:15:00.000+00:00"}),
    Fault("no_item", "LOAN_WITHOUT_ITEM", {"itemId": None}),
    Fault("line_cut_off", "JSON_UNREADABLE", row="short"),
    Fault(
        "due_before_lent",
        "DUE_BEFORE_LOAN",
        {"loanDate": "2026-03-14T12:00:00.000+00:00", "dueDate": "2026-03-01T12:00:00.000+00:00", "returnDate": None},
    ),
    Fault("same_row_again", "DUPLICATE_ROW"),
    Fault("renewals_in_words", "NUMBER_UNREADABLE", {"renewalCount": '"två"'}),
]
PATRON_FAULTS = [
    Fault("born_in_the_future", "BIRTH_IN_FUTURE", {"personal.dateOfBirth": "2093-01-01"}),
    Fault("no_such_date", "DATE_UNREADABLE", {"personal.dateOfBirth": "1981-02-30"}),
    Fault("no_id", "KEY_MISSING", {"id": None}),
    Fault("line_cut_off", "JSON_UNREADABLE", row="short"),
]
HOLD_FAULTS = [Fault("unknown_status", "VALUE_UNKNOWN", {"status": "Open - Lost in the post"})]
FEE_FAULTS = [Fault("negative_amount", "AMOUNT_NEGATIVE", {"amount": "-20.00", "remaining": "-20.00"})]


def loans(world: World, rows: Loans, on: int) -> Columns:
    """Loans as they stand at the end of day `on`; a closed loan of who keeps no history has lost its user."""
    back = rows.end <= on
    nobody = anonymous(world, rows, on)
    foreign = rows.kind == INTERLIBRARY
    renewals = np.where(back, rows.renewals, np.clip((on - rows.day - 1) // world.library.loan_days, 0, rows.renewals))
    return {
        "id": ids.loan_id(world, rows.ordinal),
        "userId": blank(ids.patron_id(world, rows.patron), nobody),
        "itemId": either(foreign, ids.foreign_item(world, rows.ordinal), ids.item_id(world, rows.item)),
        "status.name": either(back, "Closed", "Open"),
        "loanDate": utc(world, rows.day, rows.second),
        "dueDate": utc(world, rows.day + world.library.loan_days * (renewals + 1), np.full(len(rows), 86_399)),
        "returnDate": utc(world, rows.end, rows.end_second, known=back),
        "action": either(back, "checkedin", either(renewals > 0, "renewed", "checkedout")),
        "renewalCount": whole(renewals),
        "checkoutServicePointId": ids.branch_code(world, rows.lending),
        "checkinServicePointId": blank(ids.branch_code(world, rows.returning), ~back),
    }


def patrons(world: World, rows: Patrons) -> Columns:
    return {
        "id": rows.patron_id,
        "barcode": rows.card,
        "active": yes(~rows.blocked, YES),
        "patronGroup": code(["vuxen", "barn", "senior", "institution", "student", "personal"], rows.category),
        "personal.lastName": rows.last_name,
        "personal.firstName": rows.first_name,
        "personal.email": rows.email,
        "personal.mobilePhone": rows.phone,
        "personal.dateOfBirth": day(rows.birth_day, DAY, ~rows.institution),
        "personal.addresses.0.addressLine1": rows.address,
        "personal.addresses.0.postalCode": rows.postal_code,
        "personal.addresses.0.city": rows.city,
        "customFields.homeLibrary": ids.branch_code(world, rows.branch),
        "customFields.personnummer": rows.national_id,
        "customFields.gender": code(["kvinna", "man"], rows.male.astype(np.int64), ~rows.institution),
        "customFields.protected": yes(rows.protected, YES),
        "customFields.guardian": blank(ids.patron_id(world, np.maximum(rows.guardian, 0)), ~minor(rows.index)),
        "expirationDate": utc(world, rows.valid_until, np.full(len(rows), MIDNIGHT + 86_399)),
        "blocked": yes(rows.blocked, YES),
    }


def holds(world: World, rows: Holds) -> Columns:
    words: list[str | None] = [
        "Open - Not yet filled",
        "Open - Awaiting pickup",
        "Open - In transit",
        "Closed - Cancelled",
        "Closed - Filled",
        "Closed - Pickup expired",
    ]
    noon = np.full(len(rows), 43_200)
    return {
        "id": ids.hold_id(world, rows.index),
        "requestType": code(["Hold"], np.zeros(len(rows), dtype=np.int64)),
        "requesterId": ids.patron_id(world, rows.patron),
        "instanceHrid": ids.control_number(world, rows.title),
        "itemId": blank(ids.item_id(world, np.maximum(rows.item, 0)), rows.item < 0),
        "requestDate": utc(world, rows.placed, noon),
        "pickupServicePointId": ids.branch_code(world, rows.pickup),
        "status": code(words, rows.status),
        "requestExpirationDate": utc(world, rows.expires, noon),
        "filledDate": utc(world, rows.filled, noon, known=rows.filled >= 0),
    }  # fmt: skip


def fees(world: World, rows: Fees) -> Columns:
    noon = np.full(len(rows), 43_200)
    return {
        "id": ids.fee_id(world, rows.ordinal),
        "userId": ids.patron_id(world, rows.patron),
        "itemId": ids.item_id(world, rows.item),
        "feeFineType": code(["Overdue fine", "Lost item fee", "Hold fee", "Replacement card"], rows.kind),
        "amount": money(rows.amount, "."),
        "remaining": money(rows.outstanding, "."),
        "metadata.createdDate": utc(world, rows.incurred, noon),
        "closedDate": utc(world, rows.settled, noon, known=rows.settled >= 0),
    }
