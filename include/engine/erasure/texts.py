"""A person taken out of what was written about deliveries and what left the lake: receipts, archived sources, outbound copies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import TracebackType

from include.engine.delivery import Delivery
from include.engine.engine import Engine
from include.engine.erasure.needles import Needles
from include.engine.errors import BinderyError, Unreachable
from include.engine.ledger import copies, deliveries, receipts
from include.engine.storage.filesystem import Store
from include.engine.storage.uri import parse

_ALL = 10_000_000
_DAY = timedelta(days=1)
_SILENT = frozenset({Unreachable.code, "STORE_TIMEOUT", "STORE_LOGIN_REFUSED", "STORE_HOST_KEY_CHANGED"})
"""What is wrong with a whole server, and not with one file of it."""


@dataclass
class Texts:
    """URIs: receipts rewritten, archived sources and local copies removed; `outside` cannot be reached or searched from here.
    `searched` counts the receipts that were read."""

    rewritten: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)
    searched: int = 0


def erase(engine: Engine, partner: str, needles: Needles, named: set[str]) -> Texts:
    """Go through everything of the partner's deliveries; `named` are the ids of those whose bytes hold the person."""
    texts = Texts()
    with _Folders(engine) as folders:
        for delivery in deliveries.find(engine.ledger, partner=partner, limit=_ALL):
            for receipt in receipts.of(engine.ledger, delivery.id):
                _receipt(folders, receipt.uri, needles.all(), texts)
            if delivery.id in named and delivery.origin is None:
                _source(folders, delivery, texts)
            for copy in copies.find(engine.ledger, delivery_id=delivery.id):
                _copy(engine, copy, needles, texts)
    return texts


class _Folders:
    """Each folder is opened once, and one that does not answer is not asked again: a server that is away would be waited for at each of
    thousands of receipts."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._open: dict[str, Store] = {}
        self._away: dict[str, Unreachable] = {}

    @contextmanager
    def at(self, uri: str) -> Iterator[Store]:
        """The folder, for one file. Errors are those of any store."""
        if uri in self._away:
            raise self._away[uri]
        if uri not in self._open:
            self._open[uri] = self._engine.store(uri)
        try:
            yield self._open[uri]
        except Unreachable as error:
            if error.code in _SILENT:
                self._away[uri] = error
            raise

    def __enter__(self) -> _Folders:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for store in self._open.values():
            store.close()


def _receipt(folders: _Folders, uri: str, needles: Needles, texts: Texts) -> None:
    if uri.startswith("mailto:"):
        return  # a mail shows reasons and record numbers, never a person's values: include/engine/receipts
    folder, name = parse(uri).parent()
    try:
        with folders.at(str(folder)) as store:
            if not store.exists(name):
                return
            with store.open_read(name) as stream:
                body = stream.read()
            texts.searched += 1
            clean = Needles(needles.strong | {one for one in needles.ids if len(one) > 5}).redacted(body)
            if clean != body:
                store.put(name, clean)
                texts.rewritten.append(uri)
    except BinderyError:
        texts.outside.append(uri)


def _source(folders: _Folders, delivery: Delivery, texts: Texts) -> None:
    """The file that the delivery came in: removed from our archive folder; one that we left where it was is the partner's own."""
    if delivery.source_uri is None or delivery.path is None:
        return
    name = delivery.path.rpartition("/")[2]
    ended = delivery.finished_at or delivery.touched_at
    months = sorted({f"{at:%Y/%m}" for at in (delivery.seen_at, ended, ended + _DAY)})
    try:
        with folders.at(delivery.source_uri) as store:
            for path in (f"archive/{month}/{delivery.id[-8:]}_{name}" for month in months):
                if store.exists(path):
                    store.delete(path)
                    texts.removed.append(store.uri(path))
            if store.exists(delivery.path):
                texts.outside.append(store.uri(delivery.path))
    except BinderyError:
        texts.outside.append(f"{delivery.source_uri}/{name}")


def _copy(engine: Engine, copy: copies.OutboundCopy, needles: Needles, texts: Texts) -> None:
    if not copy.uri.startswith("file:"):
        texts.outside.append(copy.uri)
        return
    path = parse(copy.uri).local(engine.home)
    if _inside(path, engine.home / "bi") or not path.is_file():
        return
    with path.open("rb") as stream:
        if needles.public().found_in_stream(stream):
            path.unlink()
            copies.forget(engine.ledger, copy.delivery_id, copy.uri)
            texts.removed.append(copy.uri)


def _inside(path: Path, folder: Path) -> bool:
    return path.absolute().is_relative_to(folder.absolute())
