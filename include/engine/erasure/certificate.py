"""The certificate of an erasure: what was removed where, and what proves it. It names nobody."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from include.engine.durable import write_whole

FOLDER = "certificates"


@dataclass(frozen=True)
class Place:
    """One place that was searched: `found` things of the person there, what was done with them, and what proves it."""

    place: str
    found: int
    done: str
    proof: str


@dataclass(frozen=True)
class Certificate:
    """`reference` is a keyed pseudonym: whoever holds the person's number and the installation's keys can tell whose certificate it is.

    `stays` and `outside` say what was not removed: what is nobody's now, and copies that others hold.
    """

    number: str
    partner: str
    partner_name: str
    reference: str
    requested_by: str
    started_at: datetime
    finished_at: datetime
    places: tuple[Place, ...]
    keys_destroyed: tuple[str, ...] = ()
    deliveries: tuple[str, ...] = ()
    stays: tuple[str, ...] = ()
    outside: tuple[str, ...] = ()
    uri: str = field(default="")

    def __str__(self) -> str:
        found = sum(place.found for place in self.places)
        return f"certificate {self.number} ({self.uri}): {found:,} finds in {len(self.places)} places, {len(self.keys_destroyed)} keys destroyed"

    def as_json(self) -> str:
        """The certificate as data, the same bytes each time."""
        return json.dumps(asdict(self), indent=1, ensure_ascii=False, sort_keys=True, default=lambda moment: moment.isoformat()) + "\n"

    def as_html(self) -> str:
        """The certificate as one page that needs nothing else."""
        environment = Environment(loader=PackageLoader("include.engine.erasure", "."), autoescape=True, undefined=StrictUndefined)
        digest = hashlib.sha256(self.as_json().encode()).hexdigest()
        return environment.get_template("certificate.html.j2").render(one=self, digest=digest)


def uri_of(partner: str, number: str) -> str:
    """Where a certificate lies, relative to home; the page is beside it."""
    return f"file:{FOLDER}/{partner}/{number}.json"


def write(home: Path, certificate: Certificate) -> None:
    """Write both forms, each whole or not at all, and durable: the request that they answer is forgotten next."""
    folder = home / FOLDER / certificate.partner
    folder.mkdir(parents=True, exist_ok=True)
    for suffix, body in (("html", certificate.as_html()), ("json", certificate.as_json())):
        write_whole(folder / f"{certificate.number}.{suffix}", body.encode())


def read(home: Path, partner: str, number: str) -> Certificate | None:
    """A certificate that was written; None when there is none."""
    path = home / FOLDER / partner / f"{number}.json"
    if not path.is_file():
        return None
    known: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    known["places"] = tuple(Place(**place) for place in known["places"])
    for name in ("started_at", "finished_at"):
        known[name] = datetime.fromisoformat(known[name])
    plain: dict[str, Any] = {name: tuple(value) if isinstance(value, list) else value for name, value in known.items()}
    return Certificate(**plain)
