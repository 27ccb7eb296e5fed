"""What is fetched instead of delivered: a connector's `fetch` brings pages, which lie durably here before the next ones are asked for.

A fetch that dies goes on where it was: the next try finds the pages that are kept, and asks for what comes after them. When it is through,
its pages become the delivery's landed file, and from there a pulled delivery is like any other: staged, gated, published, replayed.
docs/decisions/pulled-sources.md
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from pathlib import Path
from typing import BinaryIO, Protocol, cast

import pyarrow as pa

from include.engine.crypto.keys import DataKey
from include.engine.crypto.seal import SealedWriter, open_sealed
from include.engine.delivery import Delivery, Token
from include.engine.durable import sync_folder
from include.engine.engine import Engine
from include.engine.errors import SettingsError, Unreachable
from include.engine.failpoints import point
from include.engine.inbound.connector import Inbound
from include.engine.inbound.work import flow_of, key_of
from include.engine.ledger import claims
from include.engine.partner.settings import Partner, PulledFlow
from include.engine.storage.landing import Landed, land_bytes
from include.engine.storage.warc import Page, pack, pages, pieces

CONTEXT = "pulled {}"  # sealed into each part with its number: it cannot be passed off as another file of the delivery's key
PART = "part-{:06d}.sealed"
MOST_BYTES = 8 << 20
SECONDS = "BINDERY_PULL_SECONDS"
"""How long a page may be in memory alone, in seconds; 1 by default. A part is a file with an fsync of its own."""


class Pages:
    """The pages of one delivery: `kept` by earlier tries, and `add`ed. They are made durable together, after so many bytes or seconds.

    A part of them is one sealed file with one Zstandard frame; parts are numbered, and none is ever written twice.
    """

    def __init__(self, folder: Path, key: DataKey, engine: Engine, token: Token) -> None:
        self._folder, self._key, self._engine, self._token = folder, key, engine, token
        folder.mkdir(parents=True, exist_ok=True)
        self._parts = _numbered(folder)
        self._codec = pa.Codec("zstd", compression_level=1)
        self._open: list[bytes] = []
        self._lead = b""
        self._bytes, self._since = 0, time.monotonic()
        self._patience = float(os.environ.get(SECONDS, "1"))

    def kept(self) -> Iterator[Page]:
        """Every page that is durable, in the order in which it came."""
        for number in range(1, self._parts + 1):
            yield from pages(BytesIO(pa.CompressedInputStream(pa.BufferReader(self._part(number)), "zstd").read()))

    def add(self, page: Page) -> None:
        """Take a page; those that came since the last part become a new one when they are large or old enough."""
        self._open += pieces(page)
        self._bytes += len(page.content)
        if self._bytes >= MOST_BYTES or time.monotonic() - self._since >= self._patience:
            self.flush()

    def lead(self, page: Page) -> None:
        """The page that stands before all others in the landed file, such as what was counted on the way."""
        self._lead = self._codec.compress(pack(page), asbytes=True)

    def flush(self) -> None:
        """Make durable what was added. StaleToken when another try has taken over."""
        self._since = time.monotonic()
        if not self._open:
            return
        frame = self._codec.compress(b"".join(self._open), asbytes=True)
        self._open, self._bytes = [], 0
        temporary = self._folder / f".{secrets.token_hex(6)}.part"
        try:
            with temporary.open("wb") as file:
                with SealedWriter(cast(BinaryIO, file), self._key, context=CONTEXT.format(self._parts + 1)) as sealed:
                    sealed.write(frame)
                file.flush()
                os.fsync(file.fileno())
            point("pull.sealed")
            claims.check(self._engine.ledger, self._token)
            os.link(temporary, self._folder / PART.format(self._parts + 1))  # fails where another try was quicker
        except FileExistsError:
            raise Unreachable(
                "another try has fetched on meanwhile.", where=self._token.delivery_id, do="The next try goes on there."
            ) from None
        finally:
            temporary.unlink(missing_ok=True)
        sync_folder(self._folder)
        self._parts += 1
        point("pull.part")

    def landed(self) -> Landed:
        """All pages as the delivery's landed file: the parts' frames, one after the other."""
        self.flush()
        parts = (self._part(number) for number in range(1, self._parts + 1))
        return land_bytes(chain([self._lead] if self._lead else [], parts), root=self._folder, key=self._key)

    def _part(self, number: int) -> bytes:
        path, context = self._folder / PART.format(number), CONTEXT.format(number)
        with path.open("rb") as raw, open_sealed(cast(BinaryIO, raw), self._engine.keys, context=context, where=path.name) as opened:
            return bytes(opened.read())


@dataclass(frozen=True)
class Pull:
    """One try of a fetch, as a connector sees it: with today's settings, and the pages that there are already."""

    engine: Engine
    partner: Partner
    flow: PulledFlow
    delivery: Delivery
    token: Token
    pages: Pages


class Pulling(Inbound, Protocol):
    """An inbound connector that fetches what it reads (connectors/oai_pmh/inbound.py)."""

    def fetch(self, pull: Pull) -> None:
        """Bring every page of the delivery into `pull.pages`, going on after those that are kept. Unreachable where a later try may help."""
        ...


def pulled(engine: Engine, delivery: Delivery, token: Token, connector: Inbound) -> Landed:
    """Fetch the delivery, or what is missing of it, and land it. What was fetched stays for the next try when this one fails."""
    partner = engine.partner(delivery.partner)
    flow = flow_of(partner, delivery)
    fetch = getattr(connector, "fetch", None)
    if not isinstance(flow, PulledFlow) or fetch is None:
        raise SettingsError("this flow's connector fetches nothing.", where=delivery.id, do="Give it a function `fetch`.")
    found = Pages(folder_of(engine, delivery), key_of(engine, delivery), engine, token)
    point("pull.begun")
    fetch(Pull(engine, partner, flow, delivery, token, found))
    return found.landed()


def folder_of(engine: Engine, delivery: Delivery) -> Path:
    """Where the delivery's pages and its landed file lie."""
    return engine.home / "landing" / delivery.partner / delivery.id


def _numbered(folder: Path) -> int:
    """How many parts there are, from the first one on without a gap."""
    number = 0
    while (folder / PART.format(number + 1)).exists():
        number += 1
    return number
