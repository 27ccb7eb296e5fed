"""Lindeby's exports: Cicero-like CSV with Danish names (include/profiles/cicero.yaml)."""

from __future__ import annotations

import numpy as np

from include.sandbox.world import ids
from include.sandbox.world.events import LOAN, RETURN, Events
from include.sandbox.world.items import Items
from include.sandbox.world.loans import E_LOAN, INTERLIBRARY, anonymous
from include.sandbox.world.numbers import hyphened
from include.sandbox.world.patrons import Patrons
from include.sandbox.world.people import minor
from include.sandbox.world.render.lines import Columns, Fault, Layout
from include.sandbox.world.render.values import code, day, moment, money, yes
from include.sandbox.world.requests import Fees, Holds
from include.sandbox.world.text import blank, either, joined, whole
from include.sandbox.world.world import World, day_number

LAYOUT = Layout(delimiter=";", bom=True, quoted=frozenset({"Adresse", "Navn"}))
DAY, YES = "%d-%m-%Y", ("Ja", "Nej")

LOANS = "Udlånsnr"
_AS_LOAN = {"Hændelse": "Udlån", "Afleveret": None, "Afleveringsfrist": None}
LOAN_FAULTS = [
    Fault("loaned_in_the_future", "LOAN_IN_FUTURE", _AS_LOAN | {"Udlånt": "02-11-2062 10:15"}),
    Fault("no_such_date", "DATE_UNREADABLE", _AS_LOAN | {"Udlånt": "31-02-2026 10:15"}),
    Fault("no_item_no_title", "LOAN_WITHOUT_ITEM", {"Eksemplarnr": None, "Stregkode": None, "Faust": None}),
    Fault("row_too_short", "ROW_RAGGED", row="short"),
    Fault("unknown_event", "VALUE_UNKNOWN", {"Hændelse": "Tyveri"}),
    Fault("returned_before_lent", "RETURN_BEFORE_LOAN", _AS_LOAN | {"Hændelse": "Aflevering", "Udlånt": "14-03-2026 12:00", "Afleveret": "01-03-2026 12:00"}),
    Fault("same_row_again", "DUPLICATE_ROW"),
    Fault("byte_of_another_charset", "CHARSET_WRONG", row="not_utf8"),
    Fault("nul_character", "NUL_IN_TEXT", row="nul"),
]  # fmt: skip
PATRON_FAULTS = [
    Fault("born_in_the_future", "BIRTH_IN_FUTURE", {"Fødselsdato": "01-01-2093"}),
    Fault("no_such_date", "DATE_UNREADABLE", {"Fødselsdato": "30-02-1981"}),
    Fault("no_number", "KEY_MISSING", {"Lånernr": None}),
    Fault("row_too_long", "ROW_RAGGED", row="long"),
]
ITEM_FAULTS = [
    Fault("negative_price", "AMOUNT_NEGATIVE", {"Pris": "-149,00"}),
    Fault("price_in_words", "NUMBER_UNREADABLE", {"Pris": "gratis"}),
    Fault("no_number", "KEY_MISSING", {"Eksemplarnr": None}),
    Fault("row_too_short", "ROW_RAGGED", row="short"),
    Fault("same_row_again", "DUPLICATE_ROW"),
]
HOLD_FAULTS = [Fault("placed_in_the_future", "HOLD_IN_FUTURE", {"Reserveret": "02-11-2062", "Udløber": None, "Ekspederet": None})]
FEE_FAULTS = [Fault("negative_amount", "AMOUNT_NEGATIVE", {"Beløb": "-20,00", "Udestående": "-20,00"})]


def loan_events(world: World, rows: Events) -> Columns:
    """One line an event; old events of those who keep no history name nobody."""
    loan = rows.loan
    nobody = anonymous(world, loan, day_number(world.last))
    electronic, foreign = loan.kind == E_LOAN, loan.kind == INTERLIBRARY
    returned = rows.event == RETURN
    # A card is given where the visit began at a terminal: at every third loan.
    with_card = (loan.ordinal % 3 == 0) & ~nobody
    return {
        "Udlånsnr": ids.loan_id(world, loan.ordinal),
        "Hændelsesnr": whole(loan.ordinal * 8 + rows.event * 4 + rows.step),
        "Hændelse": code(["Udlån", "Fornyelse", "Aflevering"], rows.event),
        "Udlånstype": code(["Hjemlån", "Læsesal", "Fjernlån", "Institution", "E-lån"], loan.kind),
        "Lånernr": blank(ids.patron_id(world, loan.patron), nobody),
        "Kortnummer": blank(ids.card(world, loan.patron), ~with_card),
        "Eksemplarnr": blank(either(foreign, ids.foreign_item(world, loan.ordinal), ids.item_id(world, loan.item)), electronic),
        "Stregkode": blank(ids.barcode(world, loan.item), electronic | foreign),
        "Faust": blank(ids.control_number(world, loan.title), foreign),
        "Udlånt": moment(loan.day, loan.second, DAY),
        "Afleveringsfrist": day(loan.day + world.library.loan_days * (rows.step + 1), DAY),
        "Afleveret": moment(loan.end, loan.end_second, DAY, known=returned),
        "Fornyelser": whole(rows.step),
        "Udlånsfilial": either(electronic, "EREOL", either(foreign, "FJERN", ids.branch_code(world, loan.lending))),
        "Afleveringsfilial": blank(ids.branch_code(world, loan.returning), ~returned | electronic),
        "Tidspunkt": moment(rows.day, rows.second, DAY, with_seconds=True, known=rows.event != LOAN),
    }


def patrons(world: World, rows: Patrons) -> Columns:
    """The CPR number with a hyphen; cards with | between them."""
    return {
        "Lånernr": rows.patron_id,
        "Kortnumre": either(np.asarray(rows.second_card.is_null()), rows.card, joined(rows.card, "|", rows.second_card)),
        "CPR": hyphened(rows.national_id, 6),
        "Navn": blank(joined(rows.first_name, " ", rows.last_name), rows.institution | rows.protected),
        "Fornavn": rows.first_name,
        "Efternavn": rows.last_name,
        "E-mail": rows.email,
        "Telefon": rows.phone,
        "Adresse": rows.address,
        "Postnr": rows.postal_code,
        "By": rows.city,
        "Kommunekode": rows.municipality,
        "Fødselsdato": day(rows.birth_day, DAY, ~rows.institution),
        "Køn": code(["K", "M"], rows.male.astype(np.int64), ~rows.institution),
        "Lånerkategori": code(["Voksen", "Barn", "Pensionist", "Institution", "Studerende", "Personale"], rows.category),
        "Basisfilial": ids.branch_code(world, rows.branch),
        "Institution": yes(rows.institution, YES),
        "Værge": blank(ids.patron_id(world, np.maximum(rows.guardian, 0)), ~minor(rows.index)),
        "Navnebeskyttet": yes(rows.protected, YES),
        "Samtykke": yes(rows.consent, YES),
        "Gyldig til": day(rows.valid_until, DAY),
        "Spærret": yes(rows.blocked, YES),
        "Sammenlagt med": blank(ids.patron_id(world, np.maximum(rows.merged_into, 0)), rows.merged_into < 0),
        "Slettet": yes(rows.merged_into >= 0, YES),
    }


def items(world: World, rows: Items) -> Columns:
    return {
        "Eksemplarnr": rows.item_id,
        "Stregkode": rows.barcode,
        "Faust": ids.control_number(world, rows.title),
        "Filial": ids.branch_code(world, rows.branch),
        "Afdeling": code(list(world.library.departments), rows.department),
        "Opstilling": code(["Skønlitteratur", "Faglitteratur", "Film", "Musik", "Tegneserier", "Nyheder"], rows.sublocation),
        "Materialetype": code(["Bog", "Lydbog", "Film", "Musik", "Tidsskrift", "Spil", "Kort"], rows.material),
        "Status": code(["Hjemme", "Udlånt", "Bortkommet", "Kasseret", "Under transport"], rows.status),
        "Anskaffelsesdato": day(rows.acquired, DAY),
        "Pris": money(rows.price, ","),
        "Valuta": code(["DKK"], np.zeros(len(rows), dtype=np.int64)),
        "Antal udlån": whole(rows.loan_count),
    }


def holds(world: World, rows: Holds) -> Columns:
    return {
        "Reserveringsnr": ids.hold_id(world, rows.index),
        "Lånernr": ids.patron_id(world, rows.patron),
        "Faust": ids.control_number(world, rows.title),
        "Eksemplarnr": blank(ids.item_id(world, np.maximum(rows.item, 0)), rows.item < 0),
        "Reserveret": day(rows.placed, DAY),
        "Afhentningsfilial": ids.branch_code(world, rows.pickup),
        "Status": code(["Venter", "Klar", "Under transport", "Annulleret", "Udlånt", "Udløbet"], rows.status),
        "Udløber": day(rows.expires, DAY),
        "Ekspederet": day(rows.filled, DAY, rows.filled >= 0),
    }


def fees(world: World, rows: Fees) -> Columns:
    return {
        "Gebyrnr": ids.fee_id(world, rows.ordinal),
        "Lånernr": ids.patron_id(world, rows.patron),
        "Eksemplarnr": ids.item_id(world, rows.item),
        "Gebyrtype": code(["Overskridelse", "Erstatning", "Reservering", "Nyt kort"], rows.kind),
        "Beløb": money(rows.amount, ","),
        "Udestående": money(rows.outstanding, ","),
        "Opstået": day(rows.incurred, DAY),
        "Betalt": day(rows.settled, DAY, rows.settled >= 0),
    }
