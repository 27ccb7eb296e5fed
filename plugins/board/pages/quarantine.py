"""`/quarantine`: what was set aside, by partner, flow, reason, date and text; `/quarantine/{record}`: one record, and what can be done about it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Depends, Form, HTTPException, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from connectors import writings
from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.errors import BinderyError
from include.engine.ledger import deliveries
from include.engine.ledger.quarantined import Fate, Quarantined
from include.engine.quarantine.decide import discard, replay_one, replay_reason, reveal
from include.engine.quarantine.look import Looked, head, look
from include.engine.quarantine.mend import mend, mendable
from include.engine.quarantine.writing import Writing
from include.engine.reasons import table, words
from include.engine.reasons.translate import bare, translate
from include.engine.receipts.report import report, sent
from include.records import delimited, edit, raw
from include.records.masks import Masks
from include.records.show import form_of
from include.records.show import show as as_record
from plugins.board.house import Settled, Using
from plugins.board.reads import quarantine as reads
from plugins.board.reads.quarantine import Asked
from plugins.board.reads.scope import LARGEST
from plugins.board.render import show, url
from plugins.board.say import language_of
from plugins.board.viewer import Looking, engineers_only

router = APIRouter()
NAV = ("/quarantine", "base.quarantine", False)
DONE = frozenset({"replayed", "mended", "discarded", "reported"})
Number = Annotated[int, Path(ge=0, le=LARGEST)]
YEARS = range(1900, 9000)
"""Of moments that are asked for: whatever the time zone, they stay within what a calendar has."""


@router.get("/quarantine", response_class=HTMLResponse)
def everything(
    request: Request, viewer: Looking, engine: Using, settled: Settled,
    partner: str = "", flow: str = "", reason: str = "", delivery: str = "", state: str = "",
    since: str = "", until: str = "", q: str = "", before: str = "",
) -> HTMLResponse:  # fmt: skip
    """A page of records, newest first: those that are open, or of one delivery all of them, unless something else is asked."""
    state = state or ("all" if delivery else Fate.OPEN)
    zone = ZoneInfo(settled.partners[partner].timezone if partner in settled.partners else "UTC")
    first, last = _day(since, zone), _day(until, zone)
    fate = state if state in set(Fate) else ""
    asked = Asked(partner, flow, reason, delivery, fate, first, last + timedelta(days=1) if last else None)
    text = q.strip()[:200]
    with engine.ledger.read() as tx:
        if text:
            asked = reads.fitting(asked, _codes(text, language_of(request)), reads.named(tx, viewer.partners, text))
        found = reads.page(tx, viewer.partners, asked, _place(before), reads.PAGE + 1)
        count = reads.counted(tx, viewer.partners, asked)
        there = reads.reasons_there(tx, viewer.partners)
        of = reads.deliveries_of(tx, found)
    query = {
        "partner": partner,
        "flow": flow,
        "reason": reason,
        "delivery": delivery,
        "state": state,
        "since": since,
        "until": until,
        "q": text,
    }
    return show(
        request,
        "quarantine.html",
        found=[(one, of[one.delivery_id]) for one in found[: reads.PAGE]],
        older=_written(found[reads.PAGE - 1]) if len(found) > reads.PAGE else None,
        before=before,
        count=count,
        many=reads.MANY,
        asked=query,
        partners=sorted(settled.partners.values(), key=lambda one: one.name.casefold()),
        flows=sorted({name for one in settled.partners.values() for name in one.flows} | ({flow} - {""})),
        reasons=sorted(there, key=lambda code: _words(code, language_of(request))),
        states=[*Fate, "all"],
        zone_name=zone.key,
    )


@router.get("/quarantine/{record}", response_class=HTMLResponse)
def one(request: Request, viewer: Looking, engine: Using, record: Number, did: str = "") -> HTMLResponse:
    """One record, personal values masked."""
    found = reads.one(engine.ledger, record, viewer.partners)
    return _page(request, engine, found, did=did if did in DONE else "")


@router.post("/quarantine/{record}/reveal", response_class=HTMLResponse)
def revealed(request: Request, viewer: Looking, engine: Using, record: Number, why: Annotated[str, Form()] = "") -> HTMLResponse:
    """The record as it is; who looked and why is in the audit before anything is shown."""
    found = reads.one(engine.ledger, record, viewer.partners)
    try:
        reveal(engine, found.id, who=viewer.name, why=why)
    except BinderyError as error:
        return _page(request, engine, found, refused=error)
    return _page(request, engine, found, opened=True)


@router.post("/quarantine/{record}/replay")
def replayed(request: Request, viewer: Looking, engine: Using, record: Number, which: Annotated[str, Form()] = "") -> RedirectResponse:
    """The record again, or all that its delivery has for the same reason."""
    found = reads.one(engine.ledger, record, viewer.partners)
    if which not in {"one", "reason"}:
        raise HTTPException(400)
    (replay_one if which == "one" else replay_reason)(engine, found.id, who=viewer.name)
    return _back(request, found, "replayed")


@router.post("/quarantine/{record}/discard")
def discarded(request: Request, viewer: Looking, engine: Using, record: Number, note: Annotated[str, Form()] = "") -> RedirectResponse:
    """Left out for good, with a note."""
    found = reads.one(engine.ledger, record, viewer.partners)
    discard(engine, found.id, who=viewer.name, note=note)
    return _back(request, found, "discarded")


@router.post("/quarantine/{record}/report", dependencies=[Depends(engineers_only)])
def reported(
    request: Request, viewer: Looking, engine: Using, record: Number, words_: Annotated[str, Form(alias="words")] = ""
) -> RedirectResponse:
    """A word to the partner about this reason of this delivery."""
    found = reads.one(engine.ledger, record, viewer.partners)
    report(engine, found.id, who=viewer.name, words=words_)
    return _back(request, found, "reported")


@router.post("/quarantine/{record}/mend")
def mended(
    request: Request, viewer: Looking, engine: Using, record: Number,
    text: Annotated[str, Form()] = "", cell: Annotated[list[str], Form()] = [],  # noqa: B006 - how FastAPI asks for a list
) -> Any:  # fmt: skip
    """The record as the person has written it, as a delivery of its own. What cannot be taken is shown again, as they wrote it."""
    found = reads.one(engine.ledger, record, viewer.partners)
    origin = deliveries.get(engine.ledger, found.delivery_id)
    looked, writing = look(engine, found.id, most=edit.LONGEST + 1), _writing(engine, origin)
    if cell:
        text = delimited.written(cell, writing.delimiter, writing.quote)
    try:
        if looked.raw is None or not looked.whole:
            raise HTTPException(409)
        content = edit.file_of(text, writing, like=looked.raw, head=head(engine, origin, found.member))
        mend(engine, found.id, content, who=viewer.name)
    except BinderyError as error:
        return _page(request, engine, found, refused=error, text=text)
    return _back(request, found, "mended")


@dataclass(frozen=True)
class Mending:
    """What stands in the form that mends: a text, or a cell a column."""

    text: str
    cells: tuple[tuple[str, str], ...] = ()
    header: str = ""  # the line of names above a record that is written as one line


def _page(
    request: Request, engine: Engine, record: Quarantined, *,
    opened: bool = False, did: str = "", refused: BinderyError | None = None, text: str | None = None,
) -> HTMLResponse:  # fmt: skip
    origin = deliveries.get(engine.ledger, record.delivery_id)
    looked, writing = look(engine, record.id), _writing(engine, origin)
    start = head(engine, origin, record.member) if writing.header else None
    masks = Masks(writing, reveal=opened)
    bytes_ = looked.raw or b""
    shown = as_record(bytes_, masks, head=start, column=record.column, whole=looked.whole) if looked.raw else None
    bytes_shown = raw.show(bytes_, looked.size, masks) if looked.raw else None
    masked = bool(shown and bytes_shown and (shown.masked or bytes_shown.masked))
    open_ = record.state == Fate.OPEN
    may_mend = open_ and looked.whole and mendable(engine, origin)
    form = _form(bytes_, writing, start, text) if may_mend and (text is not None or not masked) else None
    with engine.ledger.read() as tx:
        values = {
            "like": reads.like_it(tx, record),
            "around": reads.around(tx, record),
            "again": reads.again(tx, record),
            "audit": reads.done_to(tx, record),
        }
    return show(
        request,
        "record.html",
        status=200 if refused is None else 409,
        one=record,
        origin=origin,
        looked=looked,
        sentence=_sentence(record, looked, language_of(request)),
        shown=shown,
        bytes=bytes_shown,
        masked=masked,
        opened=opened,
        may_mend=may_mend,
        form=form,
        reported=sent(engine, record.delivery_id, record.reason),
        did=did,
        refused=None if refused is None else (_refusal(refused, language_of(request)), refused.code),
        is_open=open_,
        **values,
    )


def _form(bytes_: bytes, writing: Writing, start: bytes | None, text: str | None) -> Mending | None:
    written = text if text is not None else edit.text_of(bytes_, writing)
    if written is None:
        return None
    names = delimited.header(start, writing.charset, writing.delimiter, writing.quote)
    if form_of(bytes_, writing) == "delimited" and names:
        fields, closed = delimited.fields_of(written, writing.delimiter, writing.quote)
        if closed and len(fields) == len(names) and "\n" not in written:
            return Mending(written, tuple(zip(names, fields, strict=True)))
        return Mending(written, header=delimited.written(names, writing.delimiter, writing.quote))
    return Mending(written)


def _writing(engine: Engine, delivery: Delivery) -> Writing:
    """How the delivery's records are written; one whose settings are gone is masked whole."""
    known = writings().get(delivery.flow)
    if known is None:
        return Writing()
    try:
        return known(engine, delivery)
    except (BinderyError, KeyError, AssertionError):
        return Writing()


def _sentence(record: Quarantined, looked: Looked, language: str) -> str:
    if record.reason not in table():
        return looked.detail or record.reason
    return translate(record.reason, looked.detail, language) if looked.detail else bare(record.reason, language)


def _refusal(error: BinderyError, language: str) -> str:
    return words(error.code, language, **error.values) if error.code in table() else error.what


def _words(code: str, language: str) -> str:
    return bare(code, language) if code in table() else code


def _codes(text: str, language: str) -> Any:
    """The reasons whose words, or code, hold the text."""
    folded = text.casefold()
    return (code for code in table() if folded in code.casefold() or folded in _words(code, language).casefold())


def _back(request: Request, record: Quarantined, did: str) -> RedirectResponse:
    return RedirectResponse(url(request, f"/quarantine/{record.id}", did=did), 303)


def _day(text: str, zone: ZoneInfo) -> datetime | None:
    try:
        found = datetime.fromisoformat(text).date()
    except ValueError:
        return None
    return datetime.combine(found, time(), zone) if found.year in YEARS else None


def _written(record: Quarantined) -> str:
    return f"{record.at.isoformat()}~{record.id}"


def _place(text: str) -> reads.Place | None:
    at, _, id = text.partition("~")
    try:
        moment, number = datetime.fromisoformat(at), int(id)
    except ValueError:
        return None
    return (moment, number) if moment.tzinfo and moment.year in YEARS and 0 <= number <= LARGEST else None
