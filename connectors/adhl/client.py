"""Asks an ADHL service, DBC's or our own, what those who borrowed a title also borrowed.

The published XSD and the published code differ in the answer: by the XSD adhlResponse holds pid elements and topTenResponse holds record
elements; the code (OpenADHL 1.1) puts recorddata{pid, title, creator} into every answer, and the error inside one. Both are read.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Self
from xml.sax.saxutils import escape

import httpx
import stamina
from lxml import etree

from connectors.adhl.pid import is_pid
from include.engine.errors import BinderyError, Unreachable

NAMESPACE = "http://oss.dbc.dk/ns/adhl"
LARGEST = 4 * 1024**2
"""Bytes of an answer: a hundred titles take some twenty thousand."""
_SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
_NO_RESULTS = "no results"


@dataclass(frozen=True)
class Found:
    """One title of an answer; `title` and `creator` are "" where the answer does not say, as in the XSD's adhlResponse."""

    pid: str
    title: str = ""
    creator: str = ""


class _Busy(Exception):
    """An answer that may be another one later: status 429 or 5xx without a SOAP fault of the request's own."""


class Client:
    """One service. Close it, or use it as a context. `seconds` is for connecting, and for each wait for bytes; `patience` for a
    whole answer, and for all of a request's `attempts`."""

    def __init__(self, url: str, *, seconds: float = 10.0, attempts: int = 4, patience: float = 60.0) -> None:
        self._url, self._attempts, self._patience = url, attempts, patience
        self._http = httpx.Client(timeout=seconds, headers={"content-type": "text/xml; charset=utf-8"}, follow_redirects=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._http.close()

    def related(self, pids: Sequence[str], records: int = 20) -> list[Found]:
        """adhlRequest: titles related to `pids`, the strongest first; none where nothing is.

        Errors: ValueError for what is no pid; Unreachable ADHL_SERVICE_FAILED when the service does not answer, or not as it should.
        """
        return self._ask("adhlRequest", pids, records)

    def named(self, pids: Sequence[str], records: int = 20) -> list[Found]:
        """The same titles by name: pingRequest, which has no number of records by the XSD, so that they are cut here. Errors: as `related`."""
        return self._ask("pingRequest", pids, None)[:records]

    def top(self, records: int = 20) -> list[Found]:
        """topTenRequest: the most borrowed titles. Errors: as `related`."""
        return self._ask("topTenRequest", None, records)

    def _ask(self, kind: str, pids: Sequence[str] | None, records: int | None) -> list[Found]:
        wrong = [pid for pid in pids or [] if not is_pid(pid)]
        if wrong or pids == []:
            raise ValueError(f"{wrong[0] if wrong else 'nothing'!r} is no pid, such as 870970-basis:29938768")
        body = _request(kind, pids, records)
        retry = stamina.retry_context(
            on=(httpx.TransportError, _Busy), attempts=self._attempts, timeout=self._patience, wait_initial=0.2, wait_max=5
        )
        try:
            for attempt in retry:
                with attempt:
                    return read_answer(self._post(body), kind.replace("Request", "Response"))
        except (httpx.HTTPError, httpx.InvalidURL, _Busy) as error:
            raise self._failed(f"{type(error).__name__.lstrip('_')} {error}".strip()) from None
        except _Unreadable as error:
            raise self._failed(str(error)) from None
        raise AssertionError("a retry ends by an answer or an error")

    def _post(self, body: bytes) -> bytes:
        until = time.monotonic() + self._patience
        with self._http.stream("POST", self._url, content=body, headers={"soapaction": '""'}) as answer:
            parts, size = [], 0
            for part in answer.iter_bytes():
                if time.monotonic() > until:  # a byte now and then keeps each wait short, and would be waited for without end
                    raise _Unreadable(f"the answer did not end within {self._patience:.0f} seconds")
                size += len(part)
                if size > LARGEST:
                    raise _Unreadable(f"the answer is larger than {LARGEST:,} bytes")
                parts.append(part)
        content = b"".join(parts)
        if answer.status_code in (429, 502, 503, 504) or (answer.status_code == 500 and b"Fault" not in content):
            raise _Busy(f"status {answer.status_code}")
        if answer.status_code not in (200, 500):
            raise _Unreadable(f"status {answer.status_code}")
        return content

    def _failed(self, what: str) -> BinderyError:
        return Unreachable(
            f"the ADHL service did not answer as it should: {what}.",
            where=_host(self._url),
            do="It is tried again; if that goes on, ask whoever runs it.",
            code="ADHL_SERVICE_FAILED",
            values={"value": what},
        )


def _host(url: str) -> str:
    try:
        return httpx.URL(url).host
    except httpx.InvalidURL:
        return ""


class _Unreadable(Exception):
    """An answer that no retry makes better."""


def _request(kind: str, pids: Sequence[str] | None, records: int | None) -> bytes:
    inside = f"<id>{''.join(f'<pid>{escape(pid)}</pid>' for pid in pids)}</id>" if pids is not None else ""
    inside += f"<numRecords>{records}</numRecords>" if records is not None else ""
    asked = f'<{kind} xmlns="{NAMESPACE}">{inside}<outputType>XML</outputType></{kind}>'
    return f'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="{_SOAP}"><s:Body>{asked}</s:Body></s:Envelope>'.encode()


def read_answer(content: bytes, name: str) -> list[Found]:
    """The titles of an answer in either shape, in a SOAP envelope or without. `name` is such as adhlResponse.

    "No results" is no title. Raises for any other error of the service, for a SOAP fault, and for what is no such answer.
    """
    try:
        root = etree.fromstring(content, etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False))
    except etree.XMLSyntaxError as error:
        raise _Unreadable(f"the answer is no XML: {error.msg}") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _Unreadable("the answer has a document type declaration")
    for fault in root.iter("{*}Fault"):
        raise _Unreadable("fault: " + (fault.findtext("{*}faultstring") or fault.findtext("{*}Reason/{*}Text") or "unnamed")[:200])
    answers = list(root.iter(f"{{{NAMESPACE}}}{name}"))
    if len(answers) != 1:
        raise _Unreadable(f"the answer holds no {name}")
    return _titles(answers[0])


def _titles(answer: etree._Element) -> list[Found]:
    found: list[Found] = []
    for element in answer:
        match etree.QName(element).localname if isinstance(element.tag, str) else "":
            case "pid":
                found.append(Found(_text(element)))
            case "recorddata" | "record":
                _check(element.find("{*}error"))
                pid = _text(element.find("{*}pid")) or _text(element.find("{*}recordId"))
                if pid:
                    found.append(Found(pid, _text(element.find("{*}title")), _text(element.find("{*}creator"))))
            case "error":
                _check(element)
    return [one for one in found if one.pid]


def _check(error: etree._Element | None) -> None:
    said = _text(error)
    if said and said.casefold() != _NO_RESULTS:
        raise _Busy(said[:200])


def _text(element: etree._Element | None) -> str:
    return "" if element is None else (element.text or "").strip()
