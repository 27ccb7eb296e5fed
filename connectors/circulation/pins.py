"""PINs: kept as scrypt hashes alone, checked off the event loop, and remembered for a moment by a keyed hash.

A kiosk sends a PIN with each of its messages; a hash that is slow on purpose must not be paid for three times. So a right PIN is
remembered for some seconds as HMAC-SHA-256 under a key that lives in this process alone. Wrong ones are counted by card (lockout.py).
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import os
import secrets
from collections import OrderedDict
from concurrent.futures import ThreadPoolExecutor
from time import monotonic

N, R, P = 1 << 14, 8, 1
"""scrypt's cost (RFC 7914): 16 MiB and some 50 ms of a core for each check."""
_BCRYPT = ("$2a$", "$2b$", "$2y$")
NOBODY = "scrypt$16384$8$1$AAAAAAAAAAAAAAAAAAAAAA==$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="
"""A hash of our cost that no password has: checking it takes as long as checking one that is there."""
REMEMBERED_SECONDS = 60.0
REMEMBERED = 10_000


def is_hash(text: str) -> bool:
    """Whether a text is one of the hashes that `matches` knows, and no PIN as it is typed in."""
    return text.startswith(("scrypt$", *_BCRYPT))


def hashed(pin: str) -> str:
    """A PIN as it may be kept: `scrypt$N$r$p$salt$hash`."""
    salt = os.urandom(16)
    found = hashlib.scrypt(pin.encode(), salt=salt, n=N, r=R, p=P, dklen=32, maxmem=64 << 20)
    return "$".join(("scrypt", str(N), str(R), str(P), base64.b64encode(salt).decode(), base64.b64encode(found).decode()))


def matches(pin: str, kept: str) -> bool:
    """Whether it is the PIN that was kept. scrypt is ours, bcrypt is Koha's; of anything else no PIN is right."""
    try:
        kind, *parts = kept.split("$")
        if kind == "scrypt" and len(parts) == 5:
            n, r, p = (int(part) for part in parts[:3])
            salt, expected = (base64.b64decode(part) for part in parts[3:])
            found = hashlib.scrypt(pin.encode(), salt=salt, n=n, r=r, p=p, dklen=len(expected), maxmem=256 << 20)
            return hmac.compare_digest(found, expected)
        if kept.startswith(_BCRYPT):
            import bcrypt

            return bcrypt.checkpw(pin.encode()[:72], kept.encode())
    except (ValueError, OverflowError):  # what was kept is no hash, though it begins as one
        return False
    return False


def outdated(kept: str) -> bool:
    """Whether a PIN that was right should be hashed anew: it came with another hash or cost than ours."""
    return not kept.startswith(f"scrypt${N}${R}${P}$")


class Pins:
    """Checks PINs in threads of its own, two at once: a flood of them cannot take every core."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)
        self._right: OrderedDict[bytes, float] = OrderedDict()
        self._looking: dict[bytes, asyncio.Future[bool]] = {}
        self._threads = ThreadPoolExecutor(2, thread_name_prefix="pins")

    async def right(self, pin: str, kept: str) -> bool:
        """Whether the PIN is the one that was kept."""
        mark = hmac.digest(self._key, f"{kept}\0{pin}".encode(), "sha256")
        known = self._right.get(mark)
        if known is not None and known > monotonic():
            return True
        looking = self._looking.get(mark)
        if looking is None:  # many who ask the same at once, as a site's machines after a power cut, wait for one answer
            looking = self._looking[mark] = asyncio.get_running_loop().run_in_executor(self._threads, matches, pin, kept)
            looking.add_done_callback(lambda _: self._looking.pop(mark, None))
        if not await asyncio.shield(looking):
            return False
        self._right[mark] = monotonic() + REMEMBERED_SECONDS
        self._right.move_to_end(mark)
        while len(self._right) > REMEMBERED:
            self._right.popitem(last=False)
        return True

    def close(self) -> None:
        """End the threads."""
        self._threads.shutdown(cancel_futures=True)
