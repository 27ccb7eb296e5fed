"""Molendal's exports: Brocade's dialect of CSV with Dutch names (include/profiles/brocade.yaml); the items are in the records' 995."""

from __future__ import annotations

import numpy as np

from include.sandbox.world import ids
from include.sandbox.world.loans import E_LOAN, INTERLIBRARY, Loans, anonymous
from include.sandbox.world.patrons import Patrons
from include.sandbox.world.people import minor
from include.sandbox.world.render.lines import Columns, Fault, Layout
from include.sandbox.world.render.values import code, day, moment, money, yes
from include.sandbox.world.requests import Fees, Holds
from include.sandbox.world.text import blank, either, whole
from include.sandbox.world.world import World

LAYOUT = Layout(delimiter=";", end="\r\n", charset="iso-8859-1", quoted=None)
DAY, YES = "%d/%m/%Y", ("J", "N")

LOAN_FAULTS = [
    Fault("loaned_in_the_future", "LOAN_IN_FUTURE", {"uitgeleend": "02/11/2062 10:15", "vervaldatum": None, "ingeleverd": None}),
    Fault("no_such_date", "DATE_UNREADABLE", {"uitgeleend": "31/02/2026 10:15"}),
    Fault("no_item_no_title", "LOAN_WITHOUT_ITEM", {"objectid": None, "barcode": None, "loi": None}),
    Fault("row_too_short", "ROW_RAGGED", row="short"),
    Fault("unknown_kind", "VALUE_UNKNOWN", {"soort": "ruil"}),
    Fault("same_row_again", "DUPLICATE_ROW"),
    Fault("negative_renewals", "COUNT_NEGATIVE", {"verlengingen": "-1"}),
]
PATRON_FAULTS = [
    Fault("born_in_the_future", "BIRTH_IN_FUTURE", {"gebdat": "01/01/2093"}),
    Fault("no_such_date", "DATE_UNREADABLE", {"gebdat": "30/02/1981"}),
    Fault("no_number", "KEY_MISSING", {"bc1val": None}),
    Fault("row_too_long", "ROW_RAGGED", row="long"),
]
HOLD_FAULTS = [Fault("placed_in_the_future", "HOLD_IN_FUTURE", {"geplaatst": "02/11/2062", "vervalt": None, "afgehaald": None})]
FEE_FAULTS = [Fault("amount_in_words", "NUMBER_UNREADABLE", {"bedrag": "twee euro"})]


def loans(world: World, rows: Loans, on: int) -> Columns:
    """Loans as they stand at the end of day `on`. One loan in seven, made at a terminal, names the card alone."""
    back = rows.end <= on
    nobody = anonymous(world, rows, on)
    by_card = (rows.ordinal % 7 == 0) & ~nobody
    electronic, foreign = rows.kind == E_LOAN, rows.kind == INTERLIBRARY
    renewals = np.where(back, rows.renewals, np.clip((on - rows.day - 1) // world.library.loan_days, 0, rows.renewals))
    return {
        "uitleenid": ids.loan_id(world, rows.ordinal),
        "actie": code(["uitlening"], np.zeros(len(rows), dtype=np.int64)),
        "soort": code(["thuis", "leeszaal", "ibl", "instelling", "digitaal"], rows.kind),
        "lener": either(nobody, "ANON", blank(ids.patron_id(world, rows.patron), by_card)),
        "pasnummer": blank(ids.card(world, rows.patron), ~by_card),
        "objectid": blank(either(foreign, ids.foreign_item(world, rows.ordinal), ids.item_id(world, rows.item)), electronic),
        "barcode": blank(ids.barcode(world, rows.item), electronic | foreign),
        "loi": blank(ids.control_number(world, rows.title), foreign),
        "uitgeleend": moment(rows.day, rows.second, DAY),
        "vervaldatum": day(rows.day + world.library.loan_days * (renewals + 1), DAY),
        "ingeleverd": moment(rows.end, rows.end_second, DAY, known=back),
        "verlengingen": whole(renewals),
        "vestiging": either(electronic, "EBIB", either(foreign, "IBL", ids.branch_code(world, rows.lending))),
        "innamevestiging": blank(ids.branch_code(world, rows.returning), ~back | electronic),
    }


def patrons(world: World, rows: Patrons) -> Columns:
    """Numbers as pairs: I is the system's own, B a card, R the national number. Who has no second card gives the third pair's place to nothing."""
    kinds = np.zeros(len(rows), dtype=np.int64)
    return {
        "actie": code(["overschrijven"], kinds),
        "bc1ty": code(["I"], kinds),
        "bc1val": rows.patron_id,
        "bc2ty": code(["B"], kinds),
        "bc2val": rows.card,
        "bc3ty": code(["R"], kinds, np.asarray(rows.national_id.is_valid())),
        "bc3val": rows.national_id,
        "fn": rows.last_name,
        "vn": rows.first_name,
        "email": rows.email,
        "tel": rows.phone,
        "adres": rows.address,
        "postcode": rows.postal_code,
        "gemeente": rows.city,
        "niscode": rows.municipality,
        "gebdat": day(rows.birth_day, DAY, ~rows.institution),
        "geslacht": code(["V", "M"], rows.male.astype(np.int64), ~rows.institution),
        "categorie": code(["volwassene", "kind", "senior", "instelling", "student", "personeel"], rows.category),
        "vestiging": ids.branch_code(world, rows.branch),
        "instelling": yes(rows.institution, YES),
        "ouder": blank(ids.patron_id(world, np.maximum(rows.guardian, 0)), ~minor(rows.index)),
        "afgeschermd": yes(rows.protected, YES),
        "toestemming": yes(rows.consent, YES),
        "geldig": day(rows.valid_until, DAY),
        "geblokkeerd": yes(rows.blocked, YES),
        "samengevoegd": blank(ids.patron_id(world, np.maximum(rows.merged_into, 0)), rows.merged_into < 0),
        "verwijderd": yes(rows.merged_into >= 0, YES),
    }


def holds(world: World, rows: Holds) -> Columns:
    return {
        "reserveringid": ids.hold_id(world, rows.index),
        "lener": ids.patron_id(world, rows.patron),
        "loi": ids.control_number(world, rows.title),
        "objectid": blank(ids.item_id(world, np.maximum(rows.item, 0)), rows.item < 0),
        "geplaatst": day(rows.placed, DAY),
        "afhaalvestiging": ids.branch_code(world, rows.pickup),
        "status": code(["wacht", "klaar", "onderweg", "geannuleerd", "uitgeleend", "verlopen"], rows.status),
        "vervalt": day(rows.expires, DAY),
        "afgehaald": day(rows.filled, DAY, rows.filled >= 0),
    }


def fees(world: World, rows: Fees) -> Columns:
    return {
        "schuldid": ids.fee_id(world, rows.ordinal),
        "lener": ids.patron_id(world, rows.patron),
        "objectid": ids.item_id(world, rows.item),
        "soort": code(["telaat", "verlies", "reservering", "pas"], rows.kind),
        "bedrag": money(rows.amount, ","),
        "openstaand": money(rows.outstanding, ","),
        "datum": day(rows.incurred, DAY),
        "voldaan": day(rows.settled, DAY, rows.settled >= 0),
    }
