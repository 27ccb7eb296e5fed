"""Every message and field of SIP2 2.00, once: parsing, writing, docs and tests all read this table.

Source: 3M Standard Interchange Protocol, version 2.00 (2006), the clauses "Messages" and "Variable-length field definitions". The
extension fields (`extension=True`) are not in it; machines and servers in the field use them, as Koha's and Evergreen's documentation of
their SIP servers describes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

Kind = Literal["text", "flag", "date", "secret", "personal", "amount"]
"""What a field holds. `secret` never reaches a log; `personal` reaches it masked."""

STAMP = 18
"""YYYYMMDDZZZZHHMMSS: a date, four characters of zone, a time."""


@dataclass(frozen=True)
class Field:
    """A variable-length field: two characters, a value, and the delimiter. `many` may stand several times in a message."""

    code: str
    name: str
    kind: Kind = "text"
    many: bool = False
    extension: bool = False


@dataclass(frozen=True)
class Fixed:
    """A fixed-length field: always there, always `width` characters. `default` is written where no value is given."""

    name: str
    width: int
    default: str = ""

    def blank(self) -> str:
        """What stands for no value."""
        return self.default or " " * self.width


@dataclass(frozen=True)
class Message:
    """A message: its fixed fields in order, then fields by code. `required` must be written even when they are empty."""

    code: str
    name: str
    fixed: tuple[Fixed, ...]
    required: tuple[str, ...]
    optional: tuple[str, ...] = ()
    answer: str = ""
    order: tuple[str, ...] = field(default=(), compare=False)
    """All fields in the order of the specification; by default the required ones, then the optional ones."""

    @property
    def fields(self) -> tuple[str, ...]:
        """Fields that may stand in it, in the order in which they are written."""
        return self.order or self.required + self.optional

    @property
    def width(self) -> int:
        """Characters of all fixed fields together."""
        return sum(one.width for one in self.fixed)


_FIELDS = (
    Field("AA", "patron identifier", "personal"),
    Field("AB", "item identifier"),
    Field("AC", "terminal password", "secret"),
    Field("AD", "patron password", "secret"),
    Field("AE", "personal name", "personal"),
    Field("AF", "screen message", many=True),
    Field("AG", "print line", many=True),
    Field("AH", "due date"),
    Field("AJ", "title identifier"),
    Field("AL", "blocked card message"),
    Field("AM", "library name"),
    Field("AN", "terminal location"),
    Field("AO", "institution id"),
    Field("AP", "current location"),
    Field("AQ", "permanent location"),
    Field("AS", "hold items", many=True),
    Field("AT", "overdue items", many=True),
    Field("AU", "charged items", many=True),
    Field("AV", "fine items", many=True),
    Field("AY", "sequence number"),
    Field("AZ", "checksum"),
    Field("BD", "home address", "personal"),
    Field("BE", "e-mail address", "personal"),
    Field("BF", "home phone number", "personal"),
    Field("BG", "owner"),
    Field("BH", "currency type"),
    Field("BI", "cancel", "flag"),
    Field("BK", "transaction id"),
    Field("BL", "valid patron", "flag"),
    Field("BM", "renewed items", many=True),
    Field("BN", "unrenewed items", many=True),
    Field("BO", "fee acknowledged", "flag"),
    Field("BP", "start item"),
    Field("BQ", "end item"),
    Field("BR", "queue position"),
    Field("BS", "pickup location"),
    Field("BT", "fee type"),
    Field("BU", "recall items", many=True),
    Field("BV", "fee amount", "amount"),
    Field("BW", "expiration date", "date"),
    Field("BX", "supported messages"),
    Field("BY", "hold type"),
    Field("BZ", "hold items limit"),
    Field("CA", "overdue items limit"),
    Field("CB", "charged items limit"),
    Field("CC", "fee limit", "amount"),
    Field("CD", "unavailable hold items", many=True),
    Field("CF", "hold queue length"),
    Field("CG", "fee identifier"),
    Field("CH", "item properties"),
    Field("CI", "security inhibit", "flag"),
    Field("CJ", "recall date", "date"),
    Field("CK", "media type"),
    Field("CL", "sort bin"),
    Field("CM", "hold pickup date", "date"),
    Field("CN", "login user id"),
    Field("CO", "login password", "secret"),
    Field("CP", "location code"),
    Field("CQ", "valid patron password", "flag"),
    Field("CR", "collection code", extension=True),
    Field("CS", "call number", extension=True),
    Field("CT", "destination location", extension=True),
    Field("CV", "alert type", extension=True),
    Field("CY", "hold patron identifier", "personal", extension=True),
    Field("DA", "hold patron name", "personal", extension=True),
    Field("PA", "patron expiry date", "date", extension=True),
    Field("PB", "patron birth date", "personal", extension=True),
    Field("PC", "patron category", extension=True),
    Field("PI", "patron internet profile", extension=True),
    Field("WS", "agency that owns the item", extension=True),
)
FIELDS: dict[str, Field] = {one.code: one for one in _FIELDS}

_DATE = Fixed("transaction date", STAMP)
_LANGUAGE = Fixed("language", 3, "000")
_STATUS = Fixed("patron status", 14)
_OK = Fixed("ok", 1, "0")
_RENEWAL_OK = Fixed("renewal ok", 1, "N")
_MAGNETIC = Fixed("magnetic media", 1, "N")
_DESENSITIZE = Fixed("desensitize", 1, "N")
_WORDS = ("AF", "AG")
_LENT = ("BT", "CI", "BH", "BV", "CK", "CH", "BK", *_WORDS)
_PATRON_EXTENSIONS = ("PA", "PB", "PC", "PI")
_LISTS = ("hold items", "overdue items", "charged items", "fine items", "recall items", "unavailable holds")
_COUNTS = tuple(Fixed(f"{name} count", 4, "0000") for name in _LISTS)

_MESSAGES = (
    Message("23", "patron status request", (_LANGUAGE, _DATE), ("AO", "AA", "AC", "AD"), answer="24"),
    Message("24", "patron status response", (_STATUS, _LANGUAGE, _DATE), ("AO", "AA", "AE"), ("BL", "CQ", "BH", "BV", *_WORDS, *_PATRON_EXTENSIONS)),
    Message("11", "checkout", (Fixed("renewal policy", 1, "N"), Fixed("no block", 1, "N"), _DATE, Fixed("no block due date", STAMP)),
            ("AO", "AA", "AB", "AC"), ("CH", "AD", "BO", "BI"), answer="12"),
    Message("12", "checkout response", (_OK, _RENEWAL_OK, _MAGNETIC, _DESENSITIZE, _DATE), ("AO", "AA", "AB", "AJ", "AH"), _LENT),
    Message("09", "checkin", (Fixed("no block", 1, "N"), _DATE, Fixed("return date", STAMP)), ("AP", "AO", "AB", "AC"), ("CH", "BI", "WS"), answer="10"),
    Message("10", "checkin response", (_OK, Fixed("resensitize", 1, "N"), _MAGNETIC, Fixed("alert", 1, "N"), _DATE), ("AO", "AB", "AQ"),
            ("AJ", "CL", "AA", "CK", "CH", *_WORDS, "CR", "CS", "CT", "CV", "CY", "DA")),
    Message("01", "block patron", (Fixed("card retained", 1, "N"), _DATE), ("AO", "AL", "AA", "AC"), answer="24"),
    Message("99", "SC status", (Fixed("status code", 1, "0"), Fixed("max print width", 3, "080"), Fixed("protocol version", 4, "2.00")), (), answer="98"),
    Message("98", "ACS status", (Fixed("online", 1, "Y"), Fixed("checkin ok", 1, "N"), Fixed("checkout ok", 1, "N"), Fixed("renewal policy", 1, "N"),
            Fixed("status update ok", 1, "N"), Fixed("offline ok", 1, "N"), Fixed("timeout period", 3, "999"), Fixed("retries allowed", 3, "999"),
            Fixed("date and time", STAMP), Fixed("protocol version", 4, "2.00")), ("AO", "BX"), ("AM", "AN", *_WORDS),
            order=("AO", "AM", "BX", "AN", *_WORDS)),
    Message("97", "request ACS resend", (), (), answer=""),
    Message("96", "request SC resend", (), ()),
    Message("93", "login", (Fixed("user id algorithm", 1, "0"), Fixed("password algorithm", 1, "0")), ("CN", "CO"), ("CP",), answer="94"),
    Message("94", "login response", (_OK,), ()),
    Message("63", "patron information", (_LANGUAGE, _DATE, Fixed("summary", 10)), ("AO", "AA"), ("AC", "AD", "BP", "BQ"), answer="64"),
    Message("64", "patron information response", (_STATUS, _LANGUAGE, _DATE, *_COUNTS), ("AO", "AA", "AE"),
            ("BZ", "CA", "CB", "BL", "CQ", "BH", "BV", "CC", "AS", "AT", "AU", "AV", "BU", "CD", "BD", "BE", "BF", *_WORDS, *_PATRON_EXTENSIONS)),
    Message("35", "end patron session", (_DATE,), ("AO", "AA"), ("AC", "AD"), answer="36"),
    Message("36", "end session response", (Fixed("end session", 1, "N"), _DATE), ("AO", "AA"), _WORDS),
    Message("37", "fee paid", (_DATE, Fixed("fee type", 2, "01"), Fixed("payment type", 2, "00"), Fixed("currency type", 3)), ("BV", "AO", "AA"),
            ("AC", "AD", "CG", "BK"), answer="38"),
    Message("38", "fee paid response", (Fixed("payment accepted", 1, "N"), _DATE), ("AO", "AA"), ("BK", *_WORDS)),
    Message("17", "item information", (_DATE,), ("AO", "AB"), ("AC",), answer="18"),
    Message("18", "item information response", (Fixed("circulation status", 2, "01"), Fixed("security marker", 2, "00"), Fixed("fee type", 2, "01"), _DATE),
            ("AB", "AJ"), ("CF", "AH", "CJ", "CM", "BG", "BH", "BV", "CK", "AQ", "AP", "CH", *_WORDS, "CR", "CS", "CT", "CY", "DA"),
            order=("CF", "AH", "CJ", "CM", "AB", "AJ", "BG", "BH", "BV", "CK", "AQ", "AP", "CH", *_WORDS, "CR", "CS", "CT", "CY", "DA")),
    Message("19", "item status update", (_DATE,), ("AO", "AB", "CH"), ("AC",), answer="20", order=("AO", "AB", "AC", "CH")),
    Message("20", "item status update response", (Fixed("item properties ok", 1, "0"), _DATE), ("AB",), ("AJ", "CH", *_WORDS)),
    Message("25", "patron enable", (_DATE,), ("AO", "AA"), ("AC", "AD"), answer="26"),
    Message("26", "patron enable response", (_STATUS, _LANGUAGE, _DATE), ("AO", "AA", "AE"), ("BL", "CQ", *_WORDS)),
    Message("15", "hold", (Fixed("hold mode", 1, "+"), _DATE), ("AO", "AA"), ("BW", "BS", "BY", "AD", "AB", "AJ", "AC", "BO"), answer="16",
            order=("BW", "BS", "BY", "AO", "AA", "AD", "AB", "AJ", "AC", "BO")),
    Message("16", "hold response", (_OK, Fixed("available", 1, "N"), _DATE), ("AO", "AA"), ("BW", "BR", "BS", "AB", "AJ", *_WORDS),
            order=("BW", "BR", "BS", "AO", "AA", "AB", "AJ", *_WORDS)),
    Message("29", "renew", (Fixed("third party allowed", 1, "N"), Fixed("no block", 1, "N"), _DATE, Fixed("no block due date", STAMP)), ("AO", "AA"),
            ("AD", "AB", "AJ", "AC", "CH", "BO"), answer="30"),
    Message("30", "renew response", (_OK, _RENEWAL_OK, _MAGNETIC, _DESENSITIZE, _DATE), ("AO", "AA", "AB", "AJ", "AH"), _LENT),
    Message("65", "renew all", (_DATE,), ("AO", "AA"), ("AD", "AC", "BO"), answer="66"),
    Message("66", "renew all response", (_OK, Fixed("renewed count", 4, "0000"), Fixed("unrenewed count", 4, "0000"), _DATE), ("AO",), ("BM", "BN", *_WORDS)),
)  # fmt: skip
MESSAGES: dict[str, Message] = {one.code: one for one in _MESSAGES}

SUPPORTED_ORDER = ("23", "11", "09", "01", "99", "97", "93", "63", "35", "37", "17", "19", "25", "15", "29", "65")
"""What each of the sixteen characters of BX tells of, in order (clause "Supported messages"); only the first of a pair is named."""

ERROR_FIELDS = ("AY", "AZ")
"""Error detection: a sequence number, then a checksum over all bytes up to and with its own field code."""
