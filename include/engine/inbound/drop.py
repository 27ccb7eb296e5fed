"""A file into a partner's inbox from our side: as the partner themselves would deliver it, so that every policy of the inbox holds.

Under a temporary name, then renamed; then its marker, where the inbox waits for one. docs/users/libraries.md
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from include.engine.engine import Engine
from include.engine.errors import Refused, SettingsError, Unreachable
from include.engine.ledger import audit, deliveries
from include.engine.partner.settings import DeliverySpec, InboxFlow, Partner, spec_for
from include.engine.storage.filesystem import Store
from include.engine.storage.readiness import marker
from include.engine.storage.seen import composed, is_temporary, shown

LONGEST_NAME = 160


@dataclass(frozen=True)
class Dropped:
    """What lies in the inbox now: `path` in it, `size` in bytes, `sha256` in hexadecimal."""

    flow: str
    path: str
    size: int
    sha256: str


def inboxes(partner: Partner) -> dict[str, InboxFlow]:
    """The flows of a partner that a file can be dropped for: those that watch an inbox, and are on."""
    return {name: flow for name, flow in partner.flows.items() if isinstance(flow, InboxFlow) and flow.enabled}


def drop(
    engine: Engine, partner: Partner, flow_name: str, name: str, blocks: Iterable[bytes], *, who: str, size: int | None = None
) -> Dropped:
    """Write a file into the inbox of `flow_name`. `size`: how many bytes were announced; fewer, and nothing is left there.

    Refused: UPLOAD_UNKNOWN_NAME (no delivery of that name is agreed upon), FILE_NAME_UNSAFE, FILE_NAME_TAKEN, FILE_TOO_LARGE, FILE_EMPTY,
    UPLOAD_CUT_SHORT. Unreachable as any store's. SettingsError for a flow without an inbox.
    """
    flow = inboxes(partner).get(flow_name)
    if flow is None:
        raise SettingsError(f"the flow {flow_name} has no inbox.", where=partner.where(), do="Choose another.")
    path = file_name(name)
    spec = _agreed(flow, path)
    if size is not None and size > flow.largest:
        raise _too_large(flow.largest)
    digest = hashlib.sha256()
    with engine.store(flow.inbox) as store:
        if store.exists(path):
            raise _taken(path)
        after = deliveries.last_arrival(engine.ledger)  # dispatch may see the file before it is in the audit, and says when its look began
        written = _write(store, path, _counted(blocks, flow.largest, size, digest))
        if done := marker(path, flow.ready_for(spec)):
            store.put(done, b"")
    dropped = Dropped(flow_name, path, written, digest.hexdigest())
    facts = {"flow": flow_name, "path": path, "size": written, "sha256": dropped.sha256, "after": after}
    audit.record(engine.ledger, who, "upload", partner.id, facts)
    return dropped


def file_name(given: str) -> str:
    """A file's own name, as every store takes it: without a path, composed, control and reserved characters replaced.

    Refused FILE_NAME_UNSAFE for one that is left empty, or that belongs to a file still being written.
    """
    last = re.split(r"[\\/]", composed(given))[-1].strip()
    name = (
        re.sub(r'[:*?"<>|\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\ud800-\udfff]', "_", last)
        .encode()[:LONGEST_NAME]
        .decode(errors="ignore")
    )
    if not name.strip("._ ") or is_temporary(name):
        raise Refused(f"{shown(given)[:80]!r} is no name of a delivery.", do="Use another name.", code="FILE_NAME_UNSAFE")
    return name


def _agreed(flow: InboxFlow, name: str) -> DeliverySpec:
    """The delivery that a file of this name is; a marker, or a name that says it is not whole, is none."""
    spec = spec_for(flow, name)
    ready = flow.ready_for(spec)
    before, _, after = (ready.done_file or "").partition("{name}")
    is_marker = ready.done_file is not None and name.startswith(before) and name.endswith(after)
    if spec is None or is_marker or (ready.rename_from and name.casefold().endswith(ready.rename_from.casefold())):
        expected = ", ".join(dict.fromkeys(one.files for one in flow.deliveries))
        values = {"value": name, "expected": expected}
        what = f"no delivery with a name like {name} is agreed upon: {expected}."
        raise Refused(what, do="Give the file one of these names.", code="UPLOAD_UNKNOWN_NAME", values=values)
    return spec


def _write(store: Store, path: str, blocks: Iterator[bytes]) -> int:
    if not store.drive.renames:  # there a write appears whole, or not at all
        return store.put(path, blocks)
    temporary = f".{secrets.token_hex(6)}.part"
    try:
        size = store.put_as_is(temporary, blocks)
        try:
            store.rename(temporary, path)  # never over a file that came meanwhile
        except Unreachable as error:
            raise (_taken(path) if error.code == "FILE_NAME_TAKEN" else error) from None
        return size
    except BaseException:
        store.forget(temporary)
        raise


def _counted(blocks: Iterable[bytes], largest: int, size: int | None, digest: hashlib._Hash) -> Iterator[bytes]:
    count = 0
    for block in blocks:
        count += len(block)
        if count > largest:
            raise _too_large(largest)
        digest.update(block)
        yield block
    if size is not None and count != size:
        values = {"count": count, "expected": f"{size}"}
        raise Refused(f"the upload ended after {count} of {size} bytes.", do="Drop it again.", code="UPLOAD_CUT_SHORT", values=values)
    if not count:
        raise Refused("it is empty.", do="Drop it again.", code="FILE_EMPTY")


def _too_large(largest: int) -> Refused:
    return Refused(f"it is larger than {largest} bytes.", do="Deliver it in parts.", code="FILE_TOO_LARGE", values={"limit": largest})


def _taken(path: str) -> Refused:
    return Refused(
        f"a file {path} lies in the inbox already.", do="Wait until it was taken in, or use another name.", code="FILE_NAME_TAKEN"
    )
