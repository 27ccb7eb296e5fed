"""The six verbs: a request's arguments into the inside of an answer. Source: OAI-PMH 2.0, openarchives.org/OAI/openarchivesprotocol.html, section 4."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from xml.sax.saxutils import escape

import xxhash

from connectors.oai_pmh.provider import lists, tokens
from connectors.oai_pmh.provider.formats import FORMATS, Format
from connectors.oai_pmh.provider.index import meta
from connectors.oai_pmh.provider.lists import Row, Shelf
from connectors.oai_pmh.provider.repository import Repository
from connectors.oai_pmh.provider.requests import Asked, OaiError
from connectors.oai_pmh.provider.tokens import BadToken, Token
from connectors.oai_pmh.provider.xml import record_writer, stamp, token_element

_HOUR = 3600
_IDENTIFIER_XSD = "http://www.openarchives.org/OAI/2.0/oai-identifier"


@dataclass(frozen=True)
class Answer:
    """The parts of what stands inside the verb's element, when it was read (seconds), and a tag of them: whether and how a list goes on included."""

    parts: list[bytes]
    dated: int
    tag: str


Shelves = Callable[[int], Shelf]


def answer(repository: Repository, connection: sqlite3.Connection, shelves: Shelves, asked: Asked) -> Answer:
    """Raises OaiError, dated as an answer is; sqlite3.DatabaseError when the index cannot be read."""
    with lists.view(connection) as dated:
        try:
            match asked.verb:
                case "Identify":
                    parts = [_identify(repository, connection)]
                case "ListMetadataFormats":
                    parts = _formats(repository, connection, shelves, asked)
                case "ListSets":
                    parts = _sets(repository, connection, asked)
                case "GetRecord":
                    parts = _record(repository, connection, shelves, asked)
                case _:
                    parts = _list(repository, connection, shelves, asked, dated)
        except OaiError as error:
            error.dated = dated  # who is told that nothing is new asks from this moment on the next time
            raise
        return Answer(parts, dated, _tag(parts))


def _identify(repository: Repository, connection: sqlite3.Connection) -> bytes:
    born = int(meta(connection)["born"])
    said = {
        "repositoryName": repository.name,
        "baseURL": repository.base_url,
        "protocolVersion": "2.0",
        "adminEmail": repository.admin,
        "earliestDatestamp": stamp(born),
        "deletedRecord": "persistent",
        "granularity": "YYYY-MM-DDThh:mm:ssZ",
        "compression": "gzip",
    }
    parts = [f"<{name}>{escape(value)}</{name}>" for name, value in said.items()]
    parts.append(
        f'<description><oai-identifier xmlns="{_IDENTIFIER_XSD}" xsi:schemaLocation="{_IDENTIFIER_XSD} {_IDENTIFIER_XSD}.xsd">'
        f"<scheme>oai</scheme><repositoryIdentifier>{repository.domain}</repositoryIdentifier><delimiter>:</delimiter>"
        f"<sampleIdentifier>oai:{repository.domain}:library/DK-000000/12345678</sampleIdentifier></oai-identifier></description>"
    )
    return "".join(parts).encode()


def _formats(repository: Repository, connection: sqlite3.Connection, shelves: Shelves, asked: Asked) -> list[bytes]:
    found = list(FORMATS.values())
    if asked.get("identifier"):
        kind = shelves(_named(repository, connection, asked, None).shelf).kind
        found = [one for one in found if kind in one.classes]
    return [
        f"<metadataFormat><metadataPrefix>{one.prefix}</metadataPrefix><schema>{one.schema}</schema>"
        f"<metadataNamespace>{one.namespace}</metadataNamespace></metadataFormat>".encode()
        for one in found
    ]


def _record(repository: Repository, connection: sqlite3.Connection, shelves: Shelves, asked: Asked) -> list[bytes]:
    format = _format(asked)
    row = _named(repository, connection, asked, format.stored)
    if shelves(row.shelf).kind not in format.classes:
        raise OaiError("cannotDisseminateFormat", f"The record cannot be had as {format.prefix}.", asked.arguments)
    return record_writer(repository.domain, shelves, format)([row])


def _named(repository: Repository, connection: sqlite3.Connection, asked: Asked, stored: str | None) -> Row:
    scheme = f"oai:{repository.domain}:"
    identifier = asked.arguments["identifier"]
    row = lists.record(connection, identifier.removeprefix(scheme), stored) if identifier.startswith(scheme) else None
    if row is None:
        raise OaiError("idDoesNotExist", "There is no record with this identifier here.", asked.arguments)
    return row


def _format(asked: Asked) -> Format:
    found = FORMATS.get(asked.arguments["metadataPrefix"])
    if found is None:
        raise OaiError("cannotDisseminateFormat", f"There is no such format. There are: {', '.join(FORMATS)}.", asked.arguments)
    return found


def _sets(repository: Repository, connection: sqlite3.Connection, asked: Asked) -> list[bytes]:
    token = _token(repository, connection, asked)
    count = token.size if token else lists.count_sets(connection)
    found = lists.sets(connection, token.set if token else "", repository.page + 1)
    if not found:
        raise OaiError("noSetHierarchy", "There are no sets here.", asked.arguments)
    shown, more = found[: repository.page], len(found) > repository.page
    parts = [f"<set><setSpec>{spec}</setSpec><setName>{escape(name)}</setName></set>".encode() for spec, name in shown]
    if more or token:
        cursor = token.cursor if token else 0
        here = Token("", "", "", shown[-1][0], 0, 0, cursor + len(shown), count, 0)
        next_ = _goes_on(repository, connection, asked, here) if more else None
        parts.append(_resume(repository, next_, cursor, count))
    return parts


def _list(repository: Repository, connection: sqlite3.Connection, shelves: Shelves, asked: Asked, dated: int) -> list[bytes]:
    token = _token(repository, connection, asked)
    format = FORMATS[token.prefix] if token else _format(asked)
    spec = token.set if token else asked.get("set") or ""
    wanted = lists.listings(connection, spec, format.classes)
    after, bound = (token.after, token.bound) if token else lists.span(connection, asked.first, asked.last, dated)
    count = token.size if token else lists.size(connection, wanted, after, bound) if wanted else 0
    stored = format.stored if asked.verb == "ListRecords" else None
    rows, more = lists.page(connection, wanted, after, bound, repository.page, stored)
    if not rows and token:
        # All that was left has changed meanwhile and is behind the list's end, for the next harvest. A list may not be empty: its newest again.
        rows = lists.newest(connection, wanted, dated, stored)
    if not rows:
        if spec and not asked.get("resumptionToken") and not lists.count_sets(connection):
            raise OaiError("noSetHierarchy", "There are no sets here.", asked.arguments)
        raise OaiError("noRecordsMatch", "No record matches.", asked.arguments)
    parts = record_writer(repository.domain, shelves, format if stored else None)(rows)
    if more or token:
        cursor = token.cursor if token else 0
        here = Token("", "", format.prefix, spec, rows[-1].place, bound, cursor + len(rows), count, 0)
        next_ = _goes_on(repository, connection, asked, here) if more else None
        parts.append(_resume(repository, next_, cursor, count))
    return parts


def _token(repository: Repository, connection: sqlite3.Connection, asked: Asked) -> Token | None:
    text = asked.get("resumptionToken")
    if text is None:
        return None
    try:
        return tokens.read(text, repository.keys, generation=meta(connection)["generation"], verb=asked.verb, now=time.time())
    except BadToken as error:
        raise OaiError("badResumptionToken", str(error), asked.arguments) from None


def _goes_on(repository: Repository, connection: sqlite3.Connection, asked: Asked, place: Token) -> Token:
    """The token of the next page, with its expiry: in whole hours, so that the same page is the same bytes."""
    expires = -(-(int(time.time()) + repository.token_life) // _HOUR) * _HOUR
    return replace(place, generation=meta(connection)["generation"], verb=asked.verb, size=max(place.size, place.cursor), expires=expires)


def _resume(repository: Repository, token: Token | None, cursor: int, count: int) -> bytes:
    if token is None:
        return token_element("", cursor, count, None)
    return token_element(tokens.sign(token, repository.keys[0]), cursor, count, token.expires)


def _tag(parts: Sequence[bytes]) -> str:
    digest = xxhash.xxh3_128()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()
