"""One answer of a repository, taken strictly: whole, well-formed, an OAI-PMH document, or an error that says what it is instead.

Sickle parses with `recover=True`, and so takes a page that was cut short, or a login form with status 200, for a complete list. Here the whole page
is held against XML: by marks.py where it is plain, by expat otherwise; what stands around the records is then a small document of its own.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from xml.parsers import expat

import numpy as np
import numpy.typing as npt
from lxml import etree

from connectors.oai_pmh.harvest.marks import Marks, marks
from connectors.oai_pmh.harvest.spans import Element, Span, spans
from connectors.oai_pmh.harvest.text import Text, strict_text, text_of
from connectors.oai_pmh.harvest.times import moment
from include.engine.errors import BinderyError
from include.engine.reasons import words

ELEMENTS: dict[str, Element] = {"ListRecords": "record", "GetRecord": "record", "ListIdentifiers": "header"}
_BEFORE = re.compile(rb"(?:\s|<\?.*?\?>|<!--.*?-->)*", re.DOTALL)
_ROOT = re.compile(rb"<(?![?!])([A-Za-z_][\w.:-]*)")
_RECORD = re.compile(rb"<(?:[A-Za-z_][\w.-]*:)?record(?:\s[^>]*)?>\s*(?=<(?:[A-Za-z_][\w.-]*:)?header[\s>/])")
_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False, encoding="utf-8")


class BadPage(BinderyError):
    """An answer that is no whole OAI-PMH document: asked for again, a repository may do better. `code` says what it was."""

    code = "OAI_PAGE_TRUNCATED"

    @classmethod
    def of(cls, code: str, **values: object) -> BadPage:
        """With the words of the reason `code`."""
        return cls(words(code, "en", **values), code=code, values=values)


@dataclass(frozen=True)
class Page:
    """`spans` are of the records (of the headers, in a list of identifiers) in `text.utf8`; `marks` tell of a plain page more than that.

    `token` is None where there is no resumptionToken, "" where the element is empty. `error` is (code, message). `strict`: nothing had to be mended;
    otherwise single records may be unreadable, and `notes` says what was done to the page.
    """

    text: Text
    verb: str
    found: tuple[Span, ...] = field(default=(), repr=False)
    marks: Marks | None = field(default=None, compare=False, repr=False)
    token: str | None = None
    complete_list_size: int | None = None
    error: tuple[str, str] | None = None
    response_at: datetime | None = None
    strict: bool = True
    notes: tuple[str, ...] = ()
    rest: etree._Element | None = field(default=None, compare=False, repr=False)

    @cached_property
    def spans(self) -> tuple[Span, ...]:
        """Where each record lies."""
        if self.marks is None:
            return self.found
        return tuple(map(Span, self.marks.start.tolist(), self.marks.end.tolist()))

    def __len__(self) -> int:
        return len(self.found) if self.marks is None else len(self.marks)

    def ends(self) -> npt.NDArray[np.int64]:
        """A row for each record: where it begins, and where it ends."""
        if self.marks is not None:
            return self.marks.columns[:2].T.astype(np.int64)
        return np.array([(span.start, span.end) for span in self.found], np.int64).reshape(-1, 2)


def page_of(content: bytes, verb: str) -> Page:
    """The page in `content`, the answer to `verb`.

    BadPage: OAI_PAGE_EMPTY, OAI_PAGE_HTML, OAI_PAGE_OTHER, OAI_PAGE_TRUNCATED, OAI_PAGE_DTD, OAI_PAGE_NOT_XML.
    """
    if not content.strip():
        raise BadPage.of("OAI_PAGE_EMPTY")
    text = text_of(content)
    before = _BEFORE.match(text.utf8)
    root = _ROOT.search(text.utf8, before.end() if before else 0)
    name = root[1].decode().rpartition(":")[2] if root else ""
    if name != "OAI-PMH":
        raise BadPage.of("OAI_PAGE_HTML" if name.lower() == "html" else "OAI_PAGE_OTHER", value=name or "?")
    if b"<!DOCTYPE" in text.utf8[: root.start() if root else 0]:
        raise BadPage.of("OAI_PAGE_DTD")
    if not text.closed:
        raise BadPage.of("OAI_PAGE_TRUNCATED")
    element = ELEMENTS.get(verb)
    if not text.broken and (plain := marks(text.utf8, element or "")) is not None:
        return _around(Page(text, verb, marks=plain, strict=not text.notes, notes=text.notes))
    fault = None if text.broken else fault_of(text.utf8)
    if text.broken or fault is not None:
        if element != "record":
            raise BadPage.of("OAI_PAGE_NOT_XML", value=fault or "no UTF-8")
        return _around(Page(text, verb, loose_spans(text.utf8), strict=False, notes=(*text.notes, "OAI_PAGE_REPAIRED")))
    found = tuple(spans(text.utf8, element)) if element else ()
    return _around(Page(text, verb, found, strict=not text.notes, notes=text.notes))


def page_again(content: bytes, verb: str) -> Page:
    """A page that was found strict when it came, without a second look at what was found then: its text and its records."""
    text = strict_text(content)
    element = ELEMENTS.get(verb)
    if (plain := marks(text.utf8, element or "")) is not None:
        return Page(text, verb, marks=plain)
    return Page(text, verb, tuple(spans(text.utf8, element)) if element else ())


def fault_of(document: bytes) -> str | None:
    """What keeps a UTF-8 document from being XML with namespaces, in expat's words; None when nothing does."""
    parser = expat.ParserCreate("utf-8", " ")
    try:
        parser.Parse(document, True)
    except expat.ExpatError as error:
        return (
            f"{expat.errors.messages[error.code]} at byte {parser.ErrorByteIndex}"
            if error.code in expat.errors.messages
            else str(error.code)
        )
    return None


def loose_spans(page: bytes) -> tuple[Span, ...]:
    """Where records seem to lie in a page that is no XML: from one start to what stands before the next."""
    starts = [found.start() for found in _RECORD.finditer(page)]
    found = []
    for number, start in enumerate(starts):
        limit = starts[number + 1] if number + 1 < len(starts) else len(page)
        last = max(page.rfind(b"</record", start, limit), page.rfind(b":record>", start, limit))
        end = page.find(b">", last, limit) + 1 if last >= 0 else 0
        found.append(Span(start, end if end and not page[end:limit].strip() else limit if number + 1 < len(starts) else max(end, start)))
    return tuple(found)


def _around(page: Page) -> Page:
    """What stands before, between and after the records, as a document that must be XML in any case: in it are token and error."""
    ends = page.ends()
    begins = np.concatenate([np.zeros(1, np.int64), ends[:, 1]])  # of what stands before, between and after
    stops = np.concatenate([ends[:, 0], np.array([len(page.text.utf8)])])
    pieces = np.flatnonzero(stops > begins)
    try:
        rest = etree.fromstring(
            b"".join([page.text.utf8[a:b] for a, b in zip(begins[pieces].tolist(), stops[pieces].tolist(), strict=True)]), _PARSER
        )
    except etree.XMLSyntaxError as wrong:
        raise BadPage.of("OAI_PAGE_NOT_XML", value=wrong.msg) from None
    found = {etree.QName(one).localname: one for one in rest.iter(tag=etree.Element)}
    token, error = found.get("resumptionToken"), next((one for one in rest if etree.QName(one).localname == "error"), None)
    if error is None and page.verb not in {etree.QName(one).localname for one in rest.iterchildren(tag=etree.Element)}:
        # Well-formed, and no answer to what was asked: taken for one, it would end a list as an empty page does.
        raise BadPage.of("OAI_PAGE_OTHER", value=f"OAI-PMH without {page.verb}")
    size = token.get("completeListSize", "") if token is not None else ""
    at_text = (found["responseDate"].text or "").strip() if "responseDate" in found else ""
    return replace(
        page,
        token=None if token is None else (token.text or "").strip(),
        complete_list_size=int(size) if size.isdecimal() else None,
        error=None if error is None else (error.get("code", ""), " ".join((error.text or "").split())[:200]),
        response_at=moment(at_text),
        rest=rest,
    )
