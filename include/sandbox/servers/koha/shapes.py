"""Koha's objects as its REST interface writes them (api/v1/swagger/definitions), and its refusals (C4::Circulation::CanBookBeIssued)."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Any

from include.sandbox.servers.ils.state import Copy, Debt, Hold, Library, Loan, Patron, Payment

Json = dict[str, Any]


def patron(found: Patron) -> Json:
    first, _, last = found.name.rpartition(" ")
    return {
        "patron_id": found.id, "cardnumber": found.card, "surname": last, "firstname": first or None, "library_id": found.library,
        "category_id": found.category, "date_of_birth": found.born and found.born.isoformat(), "userid": found.userid or found.card,
        "expiry_date": found.expires and found.expires.isoformat(), "patron_card_lost": found.card_lost, "restricted": found.restricted,
        "incorrect_address": False, "lang": "default", "email": found.email or None,
        "date_enrolled": found.enrolled and found.enrolled.isoformat(), "phone": None, "address": None, "postal_code": None, "city": None,
    }  # fmt: skip


def item(library: Library, found: Copy, *, biblio: bool) -> Json:
    loan = library.loans.get(found.barcode)
    shown: Json = {
        "item_id": found.id, "biblio_id": found.title_id, "external_id": found.barcode, "home_library_id": found.home,
        "holding_library_id": found.at, "item_type_id": found.material, "effective_item_type_id": found.material, "callnumber": None,
        "checked_out_date": loan and loan.at.date().isoformat(), "lost_status": int(found.state == "lost"),
        "withdrawn": int(found.state == "withdrawn"), "not_for_loan_status": int(found.material in library.rules.not_for_loan),
    }  # fmt: skip
    return shown | {"biblio": {"biblio_id": found.title_id, "title": found.title}} if biblio else shown


def checkout(library: Library, loan: Loan) -> Json:
    return {
        "checkout_id": loan.id, "patron_id": loan.patron.id, "item_id": loan.copy.id, "due_date": stamp(library, loan.due),
        "checkout_date": stamp(library, loan.at), "last_renewed_date": loan.renewed and stamp(library, loan.renewed),
        "renewals_count": loan.renewals, "library_id": loan.library, "checkin_date": loan.returned and stamp(library, loan.returned),
        "onsite_checkout": False,
    }  # fmt: skip


def hold(library: Library, found: Hold) -> Json:
    queue = library.queue(found.title_id)
    waiting = {"waiting": "W", "transit": "T"}.get(found.status)
    return {
        "hold_id": found.id, "patron_id": found.patron.id, "biblio_id": found.title_id, "pickup_library_id": found.pickup,
        "item_id": found.copy.id if found.copy else None, "status": waiting, "priority": 0 if waiting else queue.index(found) + 1,
        "hold_date": found.at.date().isoformat(), "expiration_date": None, "waiting_date": None, "item_level": False,
    }  # fmt: skip


def debit(found: Debt) -> Json:
    return {
        "account_line_id": found.id, "patron_id": found.patron.id, "amount": float(found.amount), "amount_outstanding": float(found.left),
        "debit_type": found.kind, "description": found.title, "credit_type": None,
    }  # fmt: skip


def credit(library: Library, found: Payment) -> Json:
    return {
        "account_line_id": found.id, "patron_id": found.patron.id, "amount": -float(found.amount), "amount_outstanding": -float(found.left),
        "credit_type": "PAYMENT", "internal_note": found.note, "date": stamp(library, found.at),
    }  # fmt: skip


def stamp(library: Library, when: datetime) -> str:
    return when.astimezone(library.zone).isoformat(timespec="seconds")


def refusals(library: Library, who: Patron, what: Copy) -> tuple[Json, Json]:
    """Blockers and confirmations, under Koha's own names."""
    blockers: Json = {}
    confirms: Json = {}
    for why in library.against(who, what):
        if why == "own":
            loan = library.loans[what.barcode]
            (blockers if library.renewable(loan) else confirms)["NO_MORE_RENEWALS" if library.renewable(loan) else "RENEW_ISSUE"] = 1
        elif why == "on_loan":
            other = library.loans[what.barcode].patron
            confirms |= {"ISSUED_TO_ANOTHER": 1, "issued_borrowernumber": other.id, "issued_cardnumber": other.card}
        elif why == "held":
            holder = next(one for one in library.queue(what.title_id) if one.copy is what)
            confirms |= {"RESERVE_WAITING": 1, "resborrowernumber": holder.patron.id, "resbranchcode": holder.pickup}
        elif why == "lost" and what.state == "lost":
            confirms["ITEM_LOST"] = "Lost"
        else:
            blockers |= _BLOCKERS[why]
    return blockers, confirms


_BLOCKERS: dict[str, Json] = {
    "lost": {"CARD_LOST": 1},
    "blocked": {"USERBLOCKEDNOENDDATE": "1"},
    "expired": {"EXPIRED": "1"},
    "owes": {"DEBT": 1},
    "withdrawn": {"WTHDRAWN": 1},
    "not_for_loan": {"NOT_FOR_LOAN": 1, "item_notforloan": 1},
    "young": {"AGE_RESTRICTION": "PEGI 15"},
    "many": {"TOO_MANY": "TOO_MANY_CHECKOUTS", "current_loan_count": 4, "max_loans_allowed": 4},
}


def token(what: Copy, confirms: Json) -> str:
    """What proves that somebody has seen these confirmations. Koha's is a JWT of the same."""
    return hashlib.sha256(":".join(["1", str(what.id), *sorted(confirms)]).encode()).hexdigest()
