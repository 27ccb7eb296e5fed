"""What a CRM says when it does not do as it is asked, as errors of the house: never with a text that could hold a person's data."""

from __future__ import annotations

import re
import ssl
from collections.abc import Iterable, Iterator
from typing import Any

from include.engine.errors import Refused, Unreachable
from include.engine.privacy.mask import mask, shape
from include.engine.reasons import advice, words

LOCKED, UNPROCESSED, REJECTED = "CRM_ROW_LOCKED", "CRM_ROW_UNPROCESSED", "CRM_ROW_REJECTED"
TRANSIENT = (LOCKED, UNPROCESSED)
"""Refusals of rows that have nothing to do with the rows: they are due again at the next sync."""
REASONS = {
    "DUPLICATE_VALUE": "CRM_DUPLICATE",
    "DUPLICATE_EXTERNAL_ID": "CRM_DUPLICATE",
    "DUPLICATES_DETECTED": "CRM_DUPLICATE",
    "REQUIRED_FIELD_MISSING": "CRM_FIELD_MISSING",
    "STRING_TOO_LONG": "CRM_VALUE_TOO_LONG",
    "INVALID_EMAIL_ADDRESS": "CRM_VALUE_INVALID",
    "INVALID_TYPE_ON_FIELD_IN_RECORD": "CRM_VALUE_INVALID",
    "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST": "CRM_VALUE_INVALID",
    "UNABLE_TO_LOCK_ROW": LOCKED,
    "0x80044331": "CRM_VALUE_TOO_LONG",
    "0x8004431A": "CRM_VALUE_INVALID",
    "0x80048d19": "CRM_VALUE_INVALID",
    "0x80040203": "CRM_FIELD_MISSING",
    "0x80060892": "CRM_DUPLICATE",
    "0x80060882": "CRM_DUPLICATE",
    "0x80040237": "CRM_DUPLICATE",
    "0x80040333": "CRM_DUPLICATE",
    "0x80044a02": LOCKED,
}
"""Salesforce's status codes and Dataverse's error codes, as reasons of the house."""
LATER = frozenset(
    {"unknown_error", "server_error", "temporarily_unavailable", "SERVER_UNAVAILABLE", "UNKNOWN_EXCEPTION", "LOGIN_RATE_EXCEEDED"}
)
"""Errors of a login that say nothing of who logs in (RFC 6749, 4.1.2.1; Salesforce Help, "OAuth 2.0 errors"; SOAP API, "ExceptionCode")."""
_LONGEST, _SEARCHED, _GRAM = 300, 2000, 5


def reason_of(code: str) -> str:
    """The house's reason for a CRM's own code of a row."""
    return REASONS.get(code, REJECTED)


def refused(code: str, connection: str, **values: Any) -> Refused:
    """A sync that cannot go on as it is: a login, a field or an object that the CRM does not know."""
    return Refused(words(code, "en", **values), where=f"connection {connection}", do=advice(code, "en"), code=code, values=values)


def login_failed(connection: str, said: object) -> Refused | Unreachable:
    """A login that did not succeed: refused, or out of order for a while. `said`: the error's own code, the status (int) of an answer that is no
    error of an API, None of one that cannot be read at all."""
    if said is None or said in LATER or (isinstance(said, int) and (said == 429 or said >= 500)):
        return unreachable(connection, f"{said or 'something unknown'} to the login")
    return refused("CRM_LOGIN_REFUSED", connection, value=str(said))


def unreachable(connection: str, what: str, code: str = "UNREACHABLE") -> Unreachable:
    """The CRM did not answer as it should; `what` is a status or the kind of an error, never its text."""
    return Unreachable(f"the CRM answered with {what}.", where=f"connection {connection}", do="It is tried again.", code=code)


def kind(error: BaseException) -> str:
    """The kind of an error of the network, and of a certificate that is not trusted what is wrong with it."""
    found: BaseException | None = error
    while found is not None:
        if isinstance(found, ssl.SSLCertVerificationError):
            return f"a certificate that is not trusted ({found.verify_message})"
        found = found.__cause__ or found.__context__
    return type(error).__name__


def told(message: str, values: Iterable[object]) -> str:
    """A CRM's message about a row without what it quotes of it: whatever shares `_GRAM` letters in a row with one of the row's values is shown
    by its shape, also where the CRM cut the value short; shorter values are where they stand as a word."""
    text = message[: 4 * _LONGEST]
    lower = text.lower()
    text = text if len(lower) == len(text) else lower  # a few letters become two
    quoted = bytearray(len(text))
    for value in {str(one).lower() for one in values if one is not None}:
        for start, end in _shared(lower, value[:_SEARCHED]):
            quoted[start:end] = b"\1" * (end - start)
    shown = "".join(shape(letter) if hidden else letter for letter, hidden in zip(text, quoted, strict=True))
    return mask(shown)[:_LONGEST]


def _shared(text: str, value: str) -> Iterator[tuple[int, int]]:
    if len(value) < _GRAM:
        if len(value) > 1:
            yield from (found.span() for found in re.finditer(rf"(?<!\w){re.escape(value)}(?!\w)", text))
        return
    for gram in {value[start : start + _GRAM] for start in range(len(value) - _GRAM + 1)}:
        at = text.find(gram)
        while at >= 0:
            yield at, at + _GRAM
            at = text.find(gram, at + 1)
