"""Resumption tokens: all that the next page needs, signed, so that the provider keeps nothing between two requests.

    version u8, generation 4 bytes, verb u8, prefix u8, after u64, bound u64, cursor u64, size u64, expires u32, set     then a MAC of 16 bytes
    integers big-endian; the whole in base64url without padding, so that a token needs no escape in an URL or in XML

The MAC is HMAC-SHA-256, cut to 128 bits (RFC 2104 section 5): nobody can make a token that we did not hand out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Sequence
from dataclasses import dataclass

VERBS = ("ListRecords", "ListIdentifiers", "ListSets")
PREFIXES = ("", "oai_dc", "marcxml", "marcxchange")
LONGEST = 512
_VERSION = 1
_SHAPE = struct.Struct(">B4sBBQQQQI")
_MAC = 16


class BadToken(ValueError):
    """No token of ours, of another list or index, or too old."""


@dataclass(frozen=True)
class Token:
    """Where a list goes on: behind the place `after`, up to `bound`, with `cursor` of `size` records handed out; ListSets: behind `set`.

    `generation` is the index's, 8 hex digits: places of another index mean nothing here. `expires` is in seconds since 1970.
    """

    generation: str
    verb: str
    prefix: str
    set: str
    after: int
    bound: int
    cursor: int
    size: int
    expires: int


def sign(token: Token, key: bytes) -> str:
    """The token as harvesters get it."""
    fixed = _SHAPE.pack(
        _VERSION,
        bytes.fromhex(token.generation),
        VERBS.index(token.verb),
        PREFIXES.index(token.prefix),
        token.after,
        token.bound,
        token.cursor,
        token.size,
        token.expires,
    )
    said = fixed + token.set.encode()
    return base64.urlsafe_b64encode(said + _mac(said, key)).rstrip(b"=").decode()


def read(text: str, keys: Sequence[bytes], *, generation: str, verb: str, now: float) -> Token:
    """The token again; any of `keys` may have signed it. Raises BadToken with words that may be shown."""
    try:
        if (
            not 0 < len(text) <= LONGEST
            or not text.isascii()
            or base64.urlsafe_b64encode(raw := _decoded(text)).rstrip(b"=") != text.encode()
        ):
            raise ValueError
    except (ValueError, binascii.Error):
        raise BadToken("This is no token of ours.") from None
    said, mac = raw[:-_MAC], raw[-_MAC:]
    if len(said) < _SHAPE.size or not any(hmac.compare_digest(mac, _mac(said, key)) for key in keys):
        raise BadToken("This is no token of ours.")
    version, made_in, of_verb, prefix, after, bound, cursor, size, expires = _SHAPE.unpack(said[: _SHAPE.size])
    if version != _VERSION or made_in.hex() != generation:
        raise BadToken("The token is of an index that was replaced: begin the list again.")
    if VERBS[of_verb] != verb:
        raise BadToken(f"The token is of a {VERBS[of_verb]}.")
    if now > expires:
        raise BadToken("The token has expired: begin the list again, from the datestamp of the last record that you have.")
    return Token(generation, verb, PREFIXES[prefix], said[_SHAPE.size :].decode(), after, bound, cursor, size, expires)


def _decoded(text: str) -> bytes:
    return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)


def _mac(said: bytes, key: bytes) -> bytes:
    return hmac.digest(key, b"bindery oai token\0" + said, "sha256")[:_MAC]
