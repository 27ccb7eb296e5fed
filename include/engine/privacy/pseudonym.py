"""Keyed pseudonyms: the stand-in by which the lake knows a patron.

HMAC-SHA-256 (RFC 2104) of the ILS's internal patron id, cut to 128 bits and written as 32 hex digits, under a key for each partner, purpose
and epoch. A plain hash of a short number is undone by trying all numbers; without the key this one is not. Tables made for two purposes
cannot be joined on it, and destroying an epoch's key cuts the tie to persons for good.
"""

from __future__ import annotations

import hmac
from typing import Literal

import pyarrow as pa
import pyarrow.compute as pc

from include.engine.crypto.keys import KeyStore

Kind = Literal["patron", "card"]
PURPOSES = ("lake", "bi", "adhl", "crm", "erased")
LENGTH = 32  # hex digits: two of a billion patrons share a pseudonym with a chance below 1e-20


class Pseudonyms:
    """Pseudonyms of one partner's patrons for one purpose ('lake', 'bi', 'adhl', 'crm', 'erased') and epoch; the key is made at its first use."""

    def __init__(self, keys: KeyStore, partner: str, purpose: str, epoch: int | str = 1) -> None:
        if purpose not in PURPOSES:
            raise ValueError(f"{purpose!r} is no purpose of pseudonyms: one of {', '.join(PURPOSES)}")
        key = keys.ensure(f"pseudonym-{purpose}", subject(partner, epoch))
        self.key_id = key.key_id
        self._secret = key.secret

    def of(self, values: pa.Array | pa.ChunkedArray, kind: Kind = "patron") -> pa.Array:
        """The pseudonym of each of `values` (strings or dictionary-encoded strings); null and "" become null.

        `kind` keeps a card number apart from a patron id with the same digits: an alias has to be made with the kind it is looked up by.
        """
        if isinstance(values, pa.ChunkedArray):
            values = values.combine_chunks()
        if not pa.types.is_dictionary(values.type):
            values = values.cast(pa.string()).dictionary_encode()
        distinct = self._digests(values.dictionary.to_pylist(), kind)
        return distinct.take(values.indices)

    def one(self, value: str, kind: Kind = "patron") -> str:
        """The pseudonym of one value. ValueError for an empty one, which is nobody's."""
        found = self._digests([value], kind)[0].as_py()
        if found is None:
            raise ValueError("an empty id has no pseudonym")
        return str(found)

    def _digests(self, values: list[str | None], kind: Kind) -> pa.Array:
        start = hmac.new(self._secret, kind.encode() + b"\0", "sha256")
        digests: list[str | None] = []
        for value in values:
            if not value:
                digests.append(None)
                continue
            mac = start.copy()
            mac.update(value.encode())
            digests.append(mac.hexdigest()[:LENGTH])
        return pa.array(digests, pa.string())


def subject(partner: str, epoch: int | str) -> str:
    """How the key store knows the key of a partner's epoch."""
    return f"{partner}/{epoch}"


def is_pseudonym(values: pa.Array | pa.ChunkedArray) -> pa.BooleanArray:
    """Whether each value has the shape of a pseudonym; null where null."""
    return pc.match_substring_regex(values, f"^[0-9a-f]{{{LENGTH}}}$")
