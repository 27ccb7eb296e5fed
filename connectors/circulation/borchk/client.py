"""Asks DBC's borrower check whether somebody is a library's patron, by its published WSDL and XSD (namespace http://oss.dbc.dk/ns/borchk).

`check` is borrowerCheck, which every version has. `check_more` is borrowerCheckComplex of 3.1 (privileges, municipality, blocked): of it the
service's page names the fields, but no schema is published; the names of the two elements around them are an assumption.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from types import TracebackType
from typing import Literal, Self, get_args

import httpx
import stamina
from lxml import etree

from include.engine.errors import Unreachable

NAMESPACE = "http://oss.dbc.dk/ns/borchk"
SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
LARGEST = 64 * 1024
"""Bytes of an answer."""
Status = Literal[
    "ok", "service_not_licensed", "service_unavailable", "library_not_found", "borrowercheck_not_allowed", "borrower_not_found",
    "borrower_not_in_municipality", "municipality_check_not_supported_by_library", "no_user_in_request", "error_in_request",
]  # fmt: skip
"""Every answer that borchk.xsd has."""
STATUSES: frozenset[str] = frozenset(get_args(Status))
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True)


@dataclass(frozen=True, slots=True)
class Checked:
    """An answer. What `check_more` alone tells is None or empty after `check`."""

    status: Status
    municipality: str | None = field(default=None, repr=False)
    blocked: bool | None = None
    privileges: tuple[str, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether the library knows the patron."""
        return self.status == "ok"


class _Busy(Exception):
    """The service itself did not answer; it may soon."""


class _Unreadable(Exception):
    """An answer that no retry makes better; the text holds nothing of it."""


class Client:
    """One service. `requester` is the name that DBC knows the asking service by; `attempts` are for each question, with growing pauses."""

    def __init__(self, url: str, requester: str, *, seconds: float = 10.0, attempts: int = 3, verify: bool | str = True) -> None:
        self._url, self._requester, self._attempts, self._seconds = url, requester, attempts, seconds
        self._http = httpx.AsyncClient(timeout=seconds, verify=verify, follow_redirects=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._http.aclose()

    async def check(self, library: str, user: str, pin: str | None = None) -> Checked:
        """Whether `user` (a card or a civil number) is a patron of `library` (a library number, the patron's own branch).

        Errors: Unreachable when DBC does not answer, or not as its schema says. That a library's system does not answer is a status.
        """
        return await self._ask("borrowerCheck", library, user, pin)

    async def check_more(self, library: str, user: str, pin: str | None = None) -> Checked:
        """The same with the patron's municipality and privileges, and whether they are blocked. Errors: as `check`."""
        return await self._ask("borrowerCheckComplex", library, user, pin)

    async def _ask(self, operation: str, library: str, user: str, pin: str | None) -> Checked:
        body = _request(f"{operation}Request", self._requester, library, user, pin)
        retry = stamina.retry_context(
            on=(httpx.TransportError, TimeoutError, _Busy), attempts=self._attempts, wait_initial=0.1, wait_max=2, timeout=60
        )
        try:
            async for attempt in retry:
                with attempt:
                    return _answer(await self._post(operation, body), f"{operation}Response", user)
        except (httpx.HTTPError, TimeoutError, _Busy, _Unreadable) as error:
            what = str(error) if isinstance(error, (_Busy, _Unreadable)) else type(error).__name__
            raise Unreachable(
                f"the borrower check did not answer as it should: {what}.", where=httpx.URL(self._url).host, do="Ask again later."
            ) from None
        raise AssertionError("an attempt answers or raises")

    async def _post(self, operation: str, body: bytes) -> bytes:
        headers = {"Content-Type": "text/xml; charset=utf-8", "SOAPAction": f'"{operation}"'}
        content = bytearray()
        async with asyncio.timeout(self._seconds), self._http.stream("POST", self._url, content=body, headers=headers) as answer:
            async for part in answer.aiter_bytes():
                content += part
                if len(content) > LARGEST:
                    raise _Unreadable("the answer is too long")
        if answer.status_code in (429, 502, 503, 504):
            raise _Busy(f"status {answer.status_code}")
        if answer.status_code not in (200, 500):
            raise _Unreadable(f"status {answer.status_code}")
        return bytes(content)


def _request(name: str, requester: str, library: str, user: str, pin: str | None) -> bytes:
    envelope = etree.Element(f"{{{SOAP}}}Envelope", nsmap={"s": SOAP, "b": NAMESPACE})
    asked = etree.SubElement(etree.SubElement(envelope, f"{{{SOAP}}}Body"), f"{{{NAMESPACE}}}{name}")
    for child, text in (("serviceRequester", requester), ("libraryCode", library), ("userId", user), ("userPincode", pin)):
        if text is not None:
            etree.SubElement(asked, f"{{{NAMESPACE}}}{child}").text = text
    return bytes(etree.tostring(envelope, xml_declaration=True, encoding="UTF-8"))


def _answer(content: bytes, name: str, user: str) -> Checked:
    """The answer about that user, in an envelope or without. _Unreadable for anything else."""
    try:
        root = etree.fromstring(content, _PARSER)
    except etree.XMLSyntaxError:
        raise _Unreadable("what came is no XML") from None
    if root.getroottree().docinfo.internalDTD is not None:
        raise _Unreadable("what came has a document type")
    if next(root.iter("{*}Fault"), None) is not None:
        raise _Unreadable("a SOAP fault")
    found = next(root.iter(f"{{{NAMESPACE}}}{name}"), None)
    if found is None:
        raise _Unreadable(f"what came is no {name}")
    if _text(found, "userId") != user.strip():
        raise _Unreadable("the answer is about somebody else")
    status = _text(found, "requestStatus")
    if status not in STATUSES:
        raise _Unreadable("a status that is not in the schema")
    blocked = _text(found, "blocked").lower()
    privileges = tuple((one.text or "").strip() for one in found.iterchildren(f"{{{NAMESPACE}}}userPrivilege"))
    known: Status = status  # type: ignore[assignment]
    return Checked(known, _text(found, "municipalityNumber") or None, blocked in ("true", "1") if blocked else None, privileges)


def _text(parent: etree._Element, name: str) -> str:
    return (parent.findtext(f"{{{NAMESPACE}}}{name}") or "").strip()
