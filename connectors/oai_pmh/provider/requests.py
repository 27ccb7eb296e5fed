"""A request's arguments: read strictly, or refused with the protocol's own error (OAI-PMH 2.0, sections 2.2, 3.2, 3.6 and 4)."""

from __future__ import annotations

import calendar
import re
import time
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_to_bytes

from include.marc.record import NOT_XML

Code = Literal[
    "badArgument",
    "badResumptionToken",
    "badVerb",
    "cannotDisseminateFormat",
    "idDoesNotExist",
    "noMetadataFormats",
    "noRecordsMatch",
    "noSetHierarchy",
]
#: verb -> (required, optional); a resumptionToken stands alone where there is one.
VERBS: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "Identify": (frozenset(), frozenset()),
    "ListMetadataFormats": (frozenset(), frozenset({"identifier"})),
    "ListSets": (frozenset(), frozenset({"resumptionToken"})),
    "GetRecord": (frozenset({"identifier", "metadataPrefix"}), frozenset()),
    "ListIdentifiers": (frozenset({"metadataPrefix"}), frozenset({"from", "until", "set", "resumptionToken"})),
    "ListRecords": (frozenset({"metadataPrefix"}), frozenset({"from", "until", "set", "resumptionToken"})),
}
LONGEST = 2000  # characters of one argument
MOST = 20  # arguments
_PREFIX = re.compile(r"[A-Za-z0-9\-_.!~*'()]+")
_SET = re.compile(r"[A-Za-z0-9\-_.!~*'()]+(:[A-Za-z0-9\-_.!~*'()]+)*")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_SECOND = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")


class OaiError(Exception):
    """One of the protocol's errors, with words for the harvester's owner. `arguments` are echoed where the protocol says so; `dated` is when the
    index was read (seconds), None for a request that was refused unseen."""

    dated: int | None = None

    def __init__(self, code: Code, words: str, arguments: dict[str, str] | None = None) -> None:
        super().__init__(words)
        self.code, self.words, self.arguments = code, words, arguments or {}


@dataclass(frozen=True)
class Asked:
    """A request that is well formed. `first` and `last` are seconds since 1970 (both inclusive), None where not given."""

    verb: str
    arguments: dict[str, str]
    first: int | None = None
    last: int | None = None

    def get(self, name: str) -> str | None:
        """An argument, None when it was not given."""
        return self.arguments.get(name)


def pairs(query: bytes) -> list[tuple[str, str]]:
    """The arguments of a query string or form (application/x-www-form-urlencoded). OaiError badArgument for what is not UTF-8, or too much."""
    parts = [part for part in query.split(b"&") if part]
    if len(parts) > MOST:
        raise OaiError("badArgument", f"There are more than {MOST} arguments.")
    return [(_text(name), _text(value)) for name, _, value in (part.partition(b"=") for part in parts)]


def _text(raw: bytes) -> str:
    try:
        text = unquote_to_bytes(raw.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        raise OaiError("badArgument", "An argument is not UTF-8.") from None
    if len(text) > LONGEST:
        raise OaiError("badArgument", f"An argument has more than {LONGEST} characters.")
    if NOT_XML.search(text):
        raise OaiError("badArgument", "An argument has characters that XML cannot hold.")
    return text


def read(found: list[tuple[str, str]]) -> Asked:
    """The request of these arguments. Raises OaiError badVerb, badArgument."""
    verbs = [value for name, value in found if name == "verb"]
    if len(verbs) != 1 or verbs[0] not in VERBS:
        what = "There is no verb." if not verbs else "The verb stands there twice." if len(verbs) > 1 else "There is no such verb."
        raise OaiError("badVerb", f"{what} Verbs: {', '.join(VERBS)}.")
    verb = verbs[0]
    required, optional = VERBS[verb]
    arguments: dict[str, str] = {}
    for name, value in found:
        if name == "verb":
            continue
        if name not in required | optional:
            raise OaiError("badArgument", f"{verb} takes no such argument. It takes: {', '.join(sorted(required | optional)) or 'none'}.")
        if name in arguments:
            raise OaiError("badArgument", f"{name} stands there twice.")
        if not value:
            raise OaiError("badArgument", f"{name} is empty.")
        arguments[name] = value
    if "resumptionToken" in arguments:
        if len(arguments) > 1:
            raise OaiError("badArgument", "A resumptionToken stands alone.")
        return Asked(verb, arguments)
    if missing := required - set(arguments):
        raise OaiError("badArgument", f"{verb} needs {', '.join(sorted(missing))}.")
    if not _PREFIX.fullmatch(arguments.get("metadataPrefix", "x")):
        raise OaiError("badArgument", "metadataPrefix has characters that a prefix cannot have.")
    if not _SET.fullmatch(arguments.get("set", "x")):
        raise OaiError("badArgument", "set has characters that a setSpec cannot have.")
    if re.search(r"\s", arguments.get("identifier", "x")):
        raise OaiError("badArgument", "identifier is no URI.")
    return Asked(verb, arguments, *_span(arguments.get("from"), arguments.get("until")))


def _span(first: str | None, last: str | None) -> tuple[int | None, int | None]:
    """A day as `until` means its last second; both must have the same granularity."""
    if first and last and len(first) != len(last):
        raise OaiError("badArgument", "from and until have different granularities.")
    span = _seconds("from", first), _seconds("until", last)
    start, end = span[0], span[1]
    if end is not None and last is not None and len(last) == 10:
        end += 86_399
    if start is not None and end is not None and start > end:
        raise OaiError("badArgument", "from is later than until.")
    return start, end


def _seconds(name: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        if _DAY.fullmatch(text):
            return calendar.timegm(time.strptime(text, "%Y-%m-%d"))
        if _SECOND.fullmatch(text):
            return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))
    except ValueError:
        pass
    raise OaiError("badArgument", f"{name} is no UTC date: write YYYY-MM-DD or YYYY-MM-DDThh:mm:ssZ.")
