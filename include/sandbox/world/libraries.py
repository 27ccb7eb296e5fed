"""The four made-up libraries: what is fixed about each, whatever the seed and the size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["da", "sv", "nl"]


@dataclass(frozen=True)
class Branch:
    """A place that lends: `weight` is its share of stock, patrons and visits."""

    code: str
    name: str
    weight: float


@dataclass(frozen=True)
class Library:
    """One library. `loan_days` is the loan period, `numbers` the kind of national number its patrons have, `e_loans` whether its system has such."""

    id: str
    name: str
    isil: str
    agency: str
    timezone: str
    language: Language
    country: Literal["DK", "SE", "BE"]
    currency: str
    public: bool
    e_loans: bool
    loan_days: int
    numbers: Literal["cpr", "personnummer", "rijksregister"]
    first_card: int
    branches: tuple[Branch, ...]
    departments: tuple[str, ...]
    places: tuple[tuple[str, str, str], ...]
    """(postal code, city, municipality code)"""


LINDEBY = Library(
    "lindeby", "Lindeby Biblioteker", "DK-799001", "799001", "Europe/Copenhagen", "da", "DK", "DKK", True, True, 28, "cpr", 2_799_000_000,
    (
        Branch("799100", "Lindeby Hovedbibliotek", 5), Branch("799101", "Elmelund Bibliotek", 2), Branch("799102", "Birkenæs Bibliotek", 1.5),
        Branch("799103", "Åstrup Bibliotek", 1), Branch("799104", "Bogbussen", 0.5),
    ),
    ("Voksen", "Børn", "Magasin", "Lokalsamling"),
    (("9990", "Lindeby", "999"), ("9991", "Elmelund", "999"), ("9992", "Birkenæs", "999"), ("9993", "Åstrup", "999"), ("9994", "Vestermarke", "998")),
)  # fmt: skip
HAVNSUND = Library(
    "havnsund", "Havnsund Forskningsbibliotek", "DK-899002", "899002", "Europe/Copenhagen", "da", "DK", "DKK", False, False, 30, "cpr", 8_990_000_000,
    (Branch("HSMAIN", "Hovedbygningen", 4), Branch("HSNAT", "Naturvidenskab", 2), Branch("HSHUM", "Humaniora", 2), Branch("HSARK", "Arkivet", 0.5)),
    ("GEN", "REF", "MAG", "PER"),
    (("9980", "Havnsund", "997"), ("9981", "Sundby Strand", "997"), ("9990", "Lindeby", "999")),
)  # fmt: skip
ALMVIK = Library(
    "almvik", "Almviks stadsbibliotek", "SE-Almv", "Almv", "Europe/Stockholm", "sv", "SE", "SEK", True, False, 28, "personnummer", 9_910_000_000,
    (Branch("ALMV", "Almviks stadsbibliotek", 5), Branch("ALMS", "Södra filialen", 2), Branch("ALMB", "Björkhaga", 1.2), Branch("ALMO", "Ön", 0.8)),
    ("Vuxen", "Barn", "Ungdom", "Magasin"),
    (("990 10", "Almvik", "9910"), ("990 11", "Björkhaga", "9910"), ("990 12", "Söderö", "9911")),
)  # fmt: skip
MOLENDAL = Library(
    "molendal", "Bibliotheek Molendal", "BE-MLD01", "MLD", "Europe/Brussels", "nl", "BE", "EUR", True, True, 28, "rijksregister", 4_200_000_000,
    (Branch("MLDC", "Centrum", 5), Branch("MLDW", "Westmolen", 2), Branch("MLDH", "Heide", 1), Branch("MLDK", "Kouterbeek", 1)),
    ("volwassenen", "jeugd", "studie", "magazijn"),
    (("9998", "Molendal", "99001"), ("9997", "Westmolen", "99001"), ("9996", "Kouterbeek", "99002")),
)  # fmt: skip

LIBRARIES: dict[str, Library] = {library.id: library for library in (LINDEBY, HAVNSUND, ALMVIK, MOLENDAL)}
