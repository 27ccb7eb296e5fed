"""What an erasure needs to know of a person, sealed until it is done.

The reference names the request in forms, logs and audits: a keyed pseudonym of its own purpose, by which nobody is found in the lake. The
numbers themselves lie in a sealed file, whose key is destroyed when the erasure is done, so a second try still knows whom the first meant.
"""

from __future__ import annotations

import json
import secrets
from dataclasses import asdict, dataclass, field
from io import BytesIO
from pathlib import Path

from include.engine import clock
from include.engine.crypto.keys import KeyStore
from include.engine.crypto.seal import SealedWriter, open_sealed
from include.engine.durable import write_whole
from include.engine.erasure.certificate import Place
from include.engine.erasure.needles import Needles
from include.engine.privacy.pseudonym import Pseudonyms

FOLDER = "erasure"
PURPOSE = "erasure"
PROSPECT = "prospect "
"""Before the number of a prospect, so that it is no patron's."""
_PERSON = ("ids", "cards", "pseudonyms", "prospects")
_NEEDLES = ("strong", "ids", "words", "listed")


@dataclass(frozen=True)
class Request:
    """`number` is the certificate's. `ids`, `cards`, `pseudonyms` and `prospects` (numbers of the library's own
    lists) are what is known of the person until now, `places` what tries have done."""

    partner: str
    reference: str
    number: str
    ids: frozenset[str] = field(repr=False)
    cards: frozenset[str] = field(repr=False)
    pseudonyms: frozenset[str] = field(repr=False)
    needles: Needles = field(default=Needles(frozenset()), repr=False)
    places: tuple[Place, ...] = ()
    prospects: frozenset[str] = field(default=frozenset(), repr=False)


def reference_of(
    keys: KeyStore, partner: str, *, patron_id: str | None = None, card: str | None = None, prospect: str | None = None
) -> str:
    """The reference of the person with this patron id, card number or number of a prospect: 32 hex digits. ValueError for none."""
    names = Pseudonyms(keys, partner, "erased")
    if prospect:
        return names.one(f"{PROSPECT}{prospect}")
    return names.one(patron_id) if patron_id else names.one(card or "", "card")


def keep(home: Path, keys: KeyStore, request: Request) -> None:
    """Seal a request, durably, in place of an earlier one with its reference."""
    path = _path(home, request.partner, request.reference)
    path.parent.mkdir(parents=True, exist_ok=True)
    known = {name: sorted(getattr(request, name)) for name in _PERSON} | {
        f"needle_{name}": sorted(getattr(request.needles, name)) for name in _NEEDLES
    }
    raw, key = BytesIO(), keys.ensure(PURPOSE, _subject(request.partner, request.reference))
    with SealedWriter(raw, key, context=f"{FOLDER}/{request.reference}") as sealed:
        sealed.write(json.dumps({"number": request.number, "places": [asdict(one) for one in request.places], **known}).encode())
    write_whole(path, raw.getvalue())


def find(home: Path, keys: KeyStore, partner: str, reference: str) -> Request | None:
    """The request with this reference that is not done yet."""
    path = _path(home, partner, reference)
    if not path.is_file():
        return None
    with path.open("rb") as raw, open_sealed(raw, keys, context=f"{FOLDER}/{reference}", where=f"erasure {reference}") as sealed:
        known = json.loads(sealed.read())
    person = {name: frozenset(known.get(name, ())) for name in _PERSON}
    places = tuple(Place(**one) for one in known["places"])
    needles = Needles(**{name: frozenset(known.get(f"needle_{name}", ())) for name in _NEEDLES})
    return Request(partner, reference, known["number"], **person, needles=needles, places=places)


def find_by_pseudonym(home: Path, keys: KeyStore, partner: str, pseudonym: str) -> Request | None:
    """The request, not done yet, of the person with this pseudonym in the lake: what a try that died has left."""
    for path in sorted((home / FOLDER / partner).glob("*.sealed")):
        request = find(home, keys, partner, path.stem)
        if request is not None and pseudonym in request.pseudonyms:
            return request
    return None


def done(home: Path, keys: KeyStore, request: Request) -> None:
    """Forget a request: its key is destroyed, its file removed."""
    keys.destroy_all(keys.find(PURPOSE, _subject(request.partner, request.reference)), why=f"erasure {request.number} is done")
    _path(home, request.partner, request.reference).unlink(missing_ok=True)


def new_number() -> str:
    """A certificate's number: the day and eight hex digits that mean nothing."""
    return f"E{clock.now():%Y%m%d}-{secrets.token_hex(4)}"


def _subject(partner: str, reference: str) -> str:
    return f"{partner}/{reference}"


def _path(home: Path, partner: str, reference: str) -> Path:
    if not reference.isalnum() or not partner.replace("_", "").isalnum():
        raise ValueError("a reference is letters and digits")
    return home / FOLDER / partner / f"{reference}.sealed"
