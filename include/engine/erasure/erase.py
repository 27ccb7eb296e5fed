"""One person erased, everywhere. docs/flows/erasure.md

Each step may be done twice, and the request that says who is meant outlives all of them: a try that dies is finished by the next one.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from include.engine import clock
from include.engine.delivery import IN_FLIGHT
from include.engine.engine import Engine
from include.engine.erasure import kept, lake, request, snapshots, texts
from include.engine.erasure.certificate import Certificate, Place, read, uri_of, write
from include.engine.erasure.request import Request
from include.engine.erasure.subject import Subject, gather
from include.engine.errors import Unreachable, WrongState
from include.engine.ledger import audit, deliveries, erased
from include.engine.ledger.leases import lease
from include.engine.privacy.pseudonym import LENGTH

_LONGEST_SECONDS = 6 * 3600
STAYS = (
    "loans in the lake and in BI snapshots, without a person: the library's own figures",
    "this certificate, the entry of it in the audit, and the keyed references by which replays leave the person out",
)


def ask(engine: Engine, partner: str, *, patron_id: str | None = None, card: str | None = None, prospect: str | None = None) -> str:
    """Note, sealed, that the person with this patron id, card number or number in a list of prospects is to be erased; returns the reference
    to erase them by."""
    if not (engine.partners_folder / f"{partner}.yaml").exists() and not deliveries.find(engine.ledger, partner=partner, limit=1):
        raise WrongState(f"there is no partner {partner!r}.", do="Write the name of its file in include/partners/.", code="ERASURE_UNKNOWN")
    reference = request.reference_of(engine.keys, partner, patron_id=patron_id, card=card, prospect=prospect)
    if request.find(engine.home, engine.keys, partner, reference) is None:
        ids, cards = frozenset({patron_id} if patron_id else ()), frozenset({card} if card and not patron_id else ())
        listed = frozenset({prospect} if prospect else ())
        asked = Request(partner, reference, request.new_number(), ids, cards, frozenset(), prospects=listed)
        request.keep(engine.home, engine.keys, asked)
    return reference


def erase(engine: Engine, partner: str, subject: str, *, who: str) -> Certificate:
    """Erase one of the partner's patrons. `subject` is a reference made by `ask`, or the patron's pseudonym in the lake.

    Returns the certificate, which lies in `<home>/certificates/<partner>/`. Raises WrongState ERASURE_UNKNOWN when nobody is known by
    `subject`, Unreachable ERASURE_WAITS while deliveries of the partner are at work (a retry helps).
    """
    name = engine.partner_name(partner)
    with lease(engine.ledger, f"erasure:{partner}", holder=who, seconds=_LONGEST_SECONDS, wait=5):
        started = clock.now()
        asked = _request(engine, partner, subject)
        if isinstance(asked, Certificate):
            return asked
        _quiet(engine, partner)
        person = _everything(engine, asked)
        asked = replace(asked, ids=person.ids, cards=person.cards, pseudonyms=person.pseudonyms)
        asked = replace(asked, prospects=person.prospects, needles=person.needles)
        request.keep(engine.home, engine.keys, asked)
        certificate = _erase(engine, asked, person, name, who, started)
        write(engine.home, certificate)
        audit.record(engine.ledger, who, "erase", certificate.number, {"partner": partner, "certificate": certificate.uri})
        request.done(engine.home, engine.keys, asked)
        return certificate


def _erase(engine: Engine, asked: Request, person: Subject, name: str, who: str, started: datetime) -> Certificate:
    home, keys, ledger, number = engine.home, engine.keys, engine.ledger, asked.number
    uri = uri_of(asked.partner, number)
    # First of all: from now on nothing that arrived before can bring the person back (replays.py).
    for reference in sorted(_references(engine, asked)):
        erased.add(ledger, asked.partner, reference, uri)
    _quiet(engine, asked.partner)  # what began to be read before that is not read without them
    with keys.together():
        bytes_ = kept.erase(home, ledger, keys, asked.partner, person.needles, number)
    asked = _noted(engine, asked, map(_lake_place, lake.erase(engine.lake, ledger, person, number)))
    # After the lake: a feed that began before holds its lock until its snapshot is there to be cleaned too.
    asked = _noted(engine, asked, map(_feed_place, snapshots.erase(home, keys, person)))
    written = texts.erase(engine, asked.partner, person.needles, set(bytes_.deliveries))
    asked = _noted(engine, asked, _text_places(written))
    return Certificate(
        number=number,
        partner=asked.partner,
        partner_name=name,
        reference=asked.reference,
        requested_by=who,
        started_at=started,
        finished_at=clock.now(),
        places=(*_kept_places(bytes_), *asked.places),
        keys_destroyed=tuple(bytes_.keys),
        deliveries=tuple(bytes_.deliveries),
        stays=STAYS,
        outside=tuple(dict.fromkeys(written.outside)),
        uri=uri,
    )


def _noted(engine: Engine, asked: Request, places: Iterable[Place]) -> Request:
    """The request with what was done now added to what earlier tries did, kept for a later one."""
    done = {place.place: place for place in asked.places}
    for place in places:
        before = done.get(place.place)
        done[place.place] = replace(place if place.found or before is None else before, found=place.found + (before.found if before else 0))
    asked = replace(asked, places=tuple(done.values()))
    request.keep(engine.home, engine.keys, asked)
    return asked


def _kept_places(done: kept.Kept) -> list[Place]:
    landed = "keys destroyed, below; the files are cut to their headers"
    unread = f"; {len(done.unread):,} could not be unpacked and searched, and went too" if done.unread else ""
    return [
        Place("landing", len(done.deliveries), f"the deliveries' keys were destroyed{unread}", landed),
        Place("quarantine", sum(done.records.values()), "records emptied, the others sealed anew", "the old files' keys were destroyed"),
    ]


def _lake_place(one: lake.Removed) -> Place:
    done = f"{one.rows:,} rows removed, {one.unlinked:,} left without the person"
    return Place(
        f"lake, table {one.table}", one.rows + one.unlinked, done, f"version {one.version}; {one.files:,} older data files removed"
    )


def _feed_place(one: snapshots.Removed) -> Place:
    done = f"{one.rows:,} rows removed, {one.unlinked:,} left without the person"
    return Place(f"BI snapshot {one.snapshot}", one.rows + one.unlinked, done, "new check sums in its manifest")


def _text_places(done: texts.Texts) -> list[Place]:
    return [
        Place("receipts", len(done.rewritten), "the person's values were overwritten", f"{done.searched:,} receipts read from end to end"),
        Place("archived sources and outbound copies here", len(done.removed), "files removed", "no file of that name is left"),
    ]


def _request(engine: Engine, partner: str, subject: str) -> Request | Certificate:
    """Whom `subject` means: a request, one that a try has left, the certificate of one that is done, or a pseudonym of the lake."""
    home, keys = engine.home, engine.keys
    if not re.fullmatch(f"[0-9a-f]{{{LENGTH}}}", subject):
        raise _unknown(partner, f"a subject is {LENGTH} hexadecimal digits, not what was given.")
    found = request.find(home, keys, partner, subject) or request.find_by_pseudonym(home, keys, partner, subject)
    if found is not None:
        return found
    for one in erased.of(engine.ledger, partner):
        if one.pseudonym == subject:
            number = one.certificate_uri.rpartition("/")[2].removesuffix(".json")
            done = read(home, partner, number)
            if done is not None:
                return done
    person = gather(engine.lake, keys, partner, pseudonyms=[subject])
    if not person.known:
        raise _unknown(partner, "the lake has no identity for this pseudonym, so kept bytes cannot be searched for it.")
    ids, cards = sorted(person.ids), sorted(person.cards)
    reference = request.reference_of(keys, partner, patron_id=ids[0] if ids else None, card=cards[0] if cards else None)
    return Request(partner, reference, request.new_number(), person.ids, person.cards, person.pseudonyms, person.needles)


def _unknown(partner: str, what: str) -> WrongState:
    do = f"Make a reference of the patron id or card number: python -m include.engine.erasure ask {partner}"
    return WrongState(what, where=f"partner {partner}", do=do, code="ERASURE_UNKNOWN")


def _everything(engine: Engine, asked: Request) -> Subject:
    """The person as the lake knows them now, and as an earlier try knew them."""
    found = gather(
        engine.lake, engine.keys, asked.partner, pseudonyms=asked.pseudonyms, ids=asked.ids, cards=asked.cards, prospects=asked.prospects
    )
    return replace(found, needles=found.needles | asked.needles)


def _references(engine: Engine, asked: Request) -> set[str]:
    made = {request.reference_of(engine.keys, asked.partner, patron_id=one) for one in asked.ids}
    made |= {request.reference_of(engine.keys, asked.partner, prospect=one) for one in asked.prospects}
    return made | {request.reference_of(engine.keys, asked.partner, card=one) for one in asked.cards} | {asked.reference}


def _quiet(engine: Engine, partner: str) -> None:
    busy = deliveries.find(engine.ledger, partner=partner, states=IN_FLIGHT, limit=1)
    if busy:
        raise Unreachable(
            "a delivery of this partner is at work; its bytes cannot be searched yet.",
            where=busy[0].id,
            do="The erasure is tried again when it is done.",
            code="ERASURE_WAITS",
        )
