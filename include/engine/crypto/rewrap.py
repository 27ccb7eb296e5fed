"""A change of the master key: every data key is wrapped anew, beside running tasks, and nothing that a data key has made or sealed changes.

First the ledger is told that the new master key counts: from then on no data key is wrapped under the old one. Then the others are wrapped
anew, some hundred in a transaction, each only if it is still as it was read: one that is destroyed meanwhile stays destroyed. A change that
was cut off goes on when it is asked for again. Data keys themselves stay the same, and so do pseudonyms, seals and journals.
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography.exceptions import InvalidTag

from include.engine.crypto.master import Master
from include.engine.errors import SettingsError
from include.engine.failpoints import point
from include.engine.ledger import audit, master_keys
from include.engine.ledger import keys as rows
from include.engine.ledger.database import Ledger

BATCH = 500


@dataclass(frozen=True)
class Rewrapped:
    """What a run did: keys wrapped anew, those that were already, and ids of those that neither master key opens."""

    before: str
    after: str
    wrapped: int
    already: int
    unreadable: tuple[str, ...]


@dataclass(frozen=True)
class Standing:
    """Data keys alive by the fingerprint of the master key that opens them; "" for those that none of the given ones opens."""

    counts: str | None
    """Fingerprint of the master key that the ledger says counts; None where it was never changed."""
    finished: bool
    keys: dict[str, int]


def rewrap(ledger: Ledger, master: bytes, following: bytes, *, who: str) -> Rewrapped:
    """Change from `master` to `following`, or finish a change between the two whichever way round they are given; done twice, it happens once.

    SettingsError MASTER_KEY_CHANGED where the ledger is under neither, or `following` counted before.
    """
    before, after = _begun(ledger, Master(master), Master(following), who)
    point("rewrap.begun")
    wrapped, already, unreadable, last = 0, 0, list[str](), ""
    while batch := rows.after(ledger, last, BATCH):
        with ledger.begin() as tx:
            for row in batch:
                if _opens(after, row):
                    already += 1
                elif not _opens(before, row):
                    unreadable.append(row.key_id)
                else:
                    assert row.wrapped is not None
                    key = before.unwrap(row.wrapped, row.key_id, row.purpose, row.subject)
                    wrapped += rows.rewrap(ledger, row, after.wrap(key, row.purpose, row.subject), tx=tx)
        last = batch[-1].key_id
        point("rewrap.batch")
    rows.scrub(ledger)  # what was wrapped under the old master key is in no file of the ledger any more
    with ledger.begin() as tx:
        master_keys.lock(ledger, tx)
        counts = master_keys.current(ledger, tx=tx)
        if counts is not None and counts.fingerprint == after.fingerprint and counts.done_at is None:
            master_keys.done(ledger, after.fingerprint, tx=tx)
            detail = {"from": before.fingerprint, "to": after.fingerprint, "keys": wrapped + already, "unreadable": len(unreadable)}
            audit.record(ledger, who, "master_key.changed", after.fingerprint, detail, tx=tx)
    return Rewrapped(before.fingerprint, after.fingerprint, wrapped, already, tuple(unreadable))


def standing(ledger: Ledger, *masters: bytes) -> Standing:
    """How far it is, with these master keys at hand."""
    known, found, last = [Master(one) for one in masters], dict[str, int](), ""
    while batch := rows.after(ledger, last, BATCH):
        for row in batch:
            name = next((one.fingerprint for one in known if _opens(one, row)), "")
            found[name] = found.get(name, 0) + 1
        last = batch[-1].key_id
    counts = master_keys.current(ledger)
    return Standing(counts.fingerprint if counts else None, counts is None or counts.done_at is not None, found)


def _begun(ledger: Ledger, master: Master, following: Master, who: str) -> tuple[Master, Master]:
    """The old and the new one, the new one counting from now on if it does not yet."""
    if master.fingerprint == following.fingerprint:
        raise _refused("the two master keys are the same.", "Make a new one: `openssl rand -base64 32`.")
    with ledger.begin() as tx:
        master_keys.lock(ledger, tx)
        noted = master_keys.every(ledger, tx=tx)
        counts = noted[-1] if noted else None
        if counts is not None and counts.fingerprint == following.fingerprint:
            return master, following
        if counts is not None and counts.fingerprint == master.fingerprint and counts.done_at is None:
            return following, master
        if counts is not None and counts.fingerprint != master.fingerprint:
            raise _refused(
                "the ledger's data keys are under neither of the two master keys.",
                f"It wants the one with the fingerprint {counts.fingerprint}.",
            )
        if following.fingerprint in {one.fingerprint for one in noted}:
            raise _refused("the new master key is one that was given up before.", "Make a new one: `openssl rand -base64 32`.")
        sample = rows.after(ledger, "", 20, tx=tx)
        if sample and not any(_opens(master, row) for row in sample):
            raise _refused(
                "the connection bindery_master opens none of the ledger's keys.", "Give it the master key that this ledger is under."
            )
        master_keys.begin(ledger, master.fingerprint, following.fingerprint, tx=tx)
        detail = {"from": master.fingerprint, "to": following.fingerprint}
        audit.record(ledger, who, "master_key.change_begun", following.fingerprint, detail, tx=tx)
    return master, following


def _opens(master: Master, row: rows.KeyRow) -> bool:
    try:
        return row.wrapped is not None and bool(master.unwrap(row.wrapped, row.key_id, row.purpose, row.subject))
    except InvalidTag:
        return False


def _refused(what: str, do: str) -> SettingsError:
    return SettingsError(what, where="master key", do=do, code="MASTER_KEY_CHANGED")
