"""Somebody that a file is encrypted to, and why not to somebody else."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from include.engine.errors import Refused
from include.engine.reasons import words

Scheme = Literal["openpgp", "cms"]


class Sink(Protocol):
    """Takes bytes."""

    def write(self, data: bytes, /) -> int:
        """Take all of `data`."""
        ...


@dataclass(frozen=True)
class Recipient:
    """A key that may be used: `name` is the connection that holds it, `fingerprint` lower-case hexadecimal (SHA-1 or SHA-256 of OpenPGP's key;
    SHA-256 of an X.509 certificate), `material` the public key in binary."""

    name: str
    fingerprint: str
    material: bytes = field(repr=False)


def plain(fingerprint: str) -> str:
    """A fingerprint as it is compared: without blanks and colons, lower-case."""
    return "".join(fingerprint.split()).replace(":", "").lower()


def unusable(name: str, what: str, code: str = "RECIPIENT_UNUSABLE") -> Refused:
    """The refusal of a key: nothing may be encrypted to it."""
    values = {"value": name}
    do = "Put the receiver's present key into the connection, and its fingerprint into the partner's YAML; then clear the task."
    return Refused(f"{words(code, 'en', **values)}: {what}.", where=f"connection {name}", do=do, code=code, values=values)


def check_fingerprint(name: str, found: str, expected: str) -> None:
    """Refuse another key than the one that the partner's YAML names."""
    if plain(found) != plain(expected):
        raise unusable(name, f"its fingerprint is {plain(found)}, and {plain(expected)} was expected", "RECIPIENT_WRONG")
