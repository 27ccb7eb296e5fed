"""What a number of patrons is published as: a level, whose edge is secret and never moves back. docs/decisions/adhl-relations-release.md"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from connectors.adhl.relations.count import Counts
from connectors.adhl.relations.settings import Settings
from include.engine.crypto.keys import KeyStore

Levels = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int32]
PURPOSE = "adhl-relations"
_MOST = 2**31 - 1
_SLICE = 4_000_000  # pairs: 64 MB of blocks


def least_of(settings: Settings) -> npt.NDArray[np.int64]:
    """The least number of patrons that level 1, 2, ... stands for: the threshold, then steps of a quarter, none under the threshold."""
    least = [settings.threshold]
    while least[-1] <= _MOST:
        least.append(least[-1] + max(settings.threshold, settings.spread, least[-1] // 4))
    return np.array(least, np.int64)


def levels(patrons: Counts, offsets: Offsets, settings: Settings) -> Levels:
    """The level of each number of patrons, whose edges are all raised by its secret offset; 0 is not shown."""
    raised = patrons.astype(np.int64) - offsets
    return np.searchsorted(least_of(settings), raised, side="right").astype(np.uint8)


class Secret:
    """The secret offsets of one edition: a number from 0 to spread - 1 for each pair of titles, always the same, and known to nobody.

    AES-128 (FIPS 197) under the edition's key, over one block a pair: a pseudorandom function of the two titles, at a gigabyte a second.
    """

    def __init__(self, keys: KeyStore, settings: Settings) -> None:
        # Another threshold or spread means other edges: they get a key of their own, so that the two tell nothing about each other.
        key = keys.ensure(PURPOSE, f"{settings.edition}/{settings.threshold}/{settings.spread}")
        self.key_id = key.key_id
        self._cipher = Cipher(algorithms.AES(hashlib.sha256(key.secret).digest()[:16]), modes.ECB())  # noqa: S305  every block is distinct
        self._spread = settings.spread

    def offsets(self, first: npt.NDArray[np.uint64], second: npt.NDArray[np.uint64]) -> Offsets:
        """The offset of each pair of titles, given as `names`; a title by itself is the pair of it and itself."""
        found = np.empty(len(first), np.int32)
        for start in range(0, len(first), _SLICE):
            part = slice(start, start + _SLICE)
            blocks = np.stack([first[part], second[part]], axis=1)
            work = self._cipher.encryptor()
            sealed = np.frombuffer(work.update(blocks.astype("<u8").tobytes()) + work.finalize(), "<u8")
            found[part] = (sealed[::2] % np.uint64(self._spread)).astype(np.int32)
        return found


def names(pids: Sequence[str]) -> npt.NDArray[np.uint64]:
    """A number for each title that is the same in every release. Two of a million share one with a chance of 3e-8, and then only an offset."""
    digests = b"".join(hashlib.blake2b(pid.encode(), digest_size=8).digest() for pid in pids)
    return np.frombuffer(digests, "<u8").astype(np.uint64)
