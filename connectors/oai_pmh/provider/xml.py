"""Answers as bytes. Nothing is parsed: bodies are copied between heads and tails that are made once a page."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from xml.sax.saxutils import escape, quoteattr

from connectors.oai_pmh.provider.formats import Format
from connectors.oai_pmh.provider.lists import Row, Shelf
from connectors.oai_pmh.provider.requests import OaiError

_NAMESPACE = "http://www.openarchives.org/OAI/2.0/"
_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    f'<OAI-PMH xmlns="{_NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" '
    f'xsi:schemaLocation="{_NAMESPACE} {_NAMESPACE}OAI-PMH.xsd">'
)
_QUOTE = {'"': "&quot;"}
_TAIL = b"</OAI-PMH>\n"
_Writer = Callable[[Iterable[Row]], list[bytes]]


def stamp(seconds: int) -> str:
    """A datestamp in UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def document(base_url: str, dated: int, verb: str, arguments: Mapping[str, str], parts: list[bytes]) -> bytes:
    """A whole answer of `verb`, with its arguments echoed."""
    return b"".join([_opening(base_url, dated, {"verb": verb, **arguments}), f"<{verb}>".encode(), *parts, f"</{verb}>".encode(), _TAIL])


def refusal(base_url: str, dated: int, verb: str, error: OaiError) -> bytes:
    """A whole answer that says what is wrong; badVerb and badArgument echo nothing (section 3.2)."""
    echoed = {} if error.code in ("badVerb", "badArgument") else {"verb": verb, **error.arguments}
    said = f'<error code="{error.code}">{escape(error.words)}</error>'
    return b"".join([_opening(base_url, dated, echoed), said.encode(), _TAIL])


def _opening(base_url: str, dated: int, echoed: Mapping[str, str]) -> bytes:
    attributes = "".join(f" {name}={quoteattr(value)}" for name, value in echoed.items())
    return f"{_HEAD}<responseDate>{stamp(dated)}</responseDate><request{attributes}>{escape(base_url)}</request>".encode()


def token_element(token: str, cursor: int, count: int, expires: int | None) -> bytes:
    """The resumptionToken; an empty one ends a list that had others."""
    until = f' expirationDate="{stamp(expires)}"' if expires is not None else ""
    return f'<resumptionToken{until} completeListSize="{max(count, cursor)}" cursor="{cursor}">{token}</resumptionToken>'.encode()


def record_writer(domain: str, shelves: Callable[[int], Shelf], format: Format | None) -> _Writer:
    """Writes rows as records in a format, or as headers alone without one. What rows of one shelf and one second share is made once."""
    opening, closing = (b"<record>", b"</record>") if format else (b"", b"")
    start = [f"<header><identifier>oai:{domain}:".encode(), f'<header status="deleted"><identifier>oai:{domain}:'.encode()]
    ends: dict[tuple[int, int, bool], bytes] = {}
    tail = f"{format.tail}</metadata></record>".encode() if format else b""

    def end(row: Row) -> bytes:
        """From behind the identifier to where the body begins."""
        found = shelves(row.shelf)
        specs = "".join(f"<setSpec>{spec}</setSpec>" for spec in found.sets)
        head = (
            f"<metadata>{format.head.replace('{format}', escape(found.format, _QUOTE))}" if format and not row.deleted else closing.decode()
        )
        return f"</identifier><datestamp>{stamp(row.datestamp)}</datestamp>{specs}</header>{head}".encode()

    def write(rows: Iterable[Row]) -> list[bytes]:
        parts: list[bytes] = []
        for row in rows:
            key = (row.shelf, row.datestamp, row.deleted)
            if key not in ends:
                ends[key] = end(row)
            parts += (opening, start[row.deleted], row.local.encode(), ends[key])
            if format and not row.deleted:
                parts += (row.body or b"", tail)
        return parts

    return write
