"""The small library of the tests (conftest.py), as Koha's and FOLIO's stand-ins have it: the same patrons, items and rules."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime

from include.engine.credentials import Connection
from include.engine.errors import MissingCredential
from include.sandbox.servers.ils.state import Copy, Library, Patron

INTERLENDING = {
    "koha": {"item_type": "ILL"},
    "folio": {
        name: f"00000000-0000-4000-8000-{number:012}"
        for number, name in enumerate(("instance_type", "holdings_source", "location", "material_type", "loan_type"))
    },
}
"""What other libraries' copies become: each system's own settings."""
LIMITS = {"loans": 4, "holds": 2, "fees": 100}


def small_library(now: Callable[[], datetime]) -> Library:
    """Three patrons, five items."""
    library = Library(now=now)
    for patron in (
        Patron(1, "c1", "Reader One", "adult", "main", pin="1234", born=date(1980, 5, 1)),
        Patron(2, "c2", "Reader Two", "child", "north", born=date(2016, 11, 21)),
        Patron(3, "c3", "Class 4B", "class", "main", expires=date(2026, 11, 19)),
    ):
        library.patrons[patron.id] = patron
    for copy in (
        Copy(11, "b1", 1, "One book"),
        Copy(12, "b2", 1, "One book", home="north"),
        Copy(13, "d1", 2, "A film", "dvd"),
        Copy(14, "d2", 3, "A film too", "dvd"),
        Copy(15, "r1", 4, "A dictionary", "reference"),
    ):
        library.copies[copy.barcode] = copy
    return library


@dataclass
class OneLogin:
    """The same login and password for every connection."""

    login: str = "bindery"
    password: str = "secret"

    def get(self, connection_id: str) -> Connection:
        if connection_id == "nobody":
            raise MissingCredential("the connection nobody is not set up")
        return Connection(connection_id, "http", login=self.login, password=self.password)
