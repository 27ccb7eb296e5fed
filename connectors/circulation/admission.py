"""Taking in what a library did not have: a copy of another library's (interlending), a new patron; and letting a copy go again.

Kiosks never ask for these, and not every back end can do them: one that can is `Admitting`, beside being a Backend.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from typing import Protocol, runtime_checkable

from connectors.circulation.domain import Asked, Credentials, Outcome

NOBODY = Credentials("")


@dataclass(frozen=True, slots=True)
class Accept(Asked):
    """Another library's copy has come, for a patron or for nobody yet. `owner` is where it goes back to; `pickup` where it is fetched."""

    item: str = ""
    title: str = ""
    owner: str = ""
    patron: Credentials = NOBODY
    pickup: str = ""


@dataclass(frozen=True, slots=True)
class Discard(Asked):
    """A copy has left for good."""

    item: str = ""


@dataclass(frozen=True, slots=True)
class Enrol(Asked):
    """A new patron. The PIN of `patron` is kept as a hash alone. What is not shown (repr) is not written down either: plain.py."""

    patron: Credentials = NOBODY
    category: str = ""
    language: str = ""
    birth_date: date | None = field(default=None, repr=False)
    given: str = field(default="", repr=False)
    surname: str = field(default="", repr=False)
    street: str = field(default="", repr=False)
    postal_code: str = field(default="", repr=False)
    city: str = field(default="", repr=False)
    email: str = field(default="", repr=False)
    phone: str = field(default="", repr=False)

    @property
    def name(self) -> str:
        """The name as one text."""
        return " ".join(filter(None, (self.given, self.surname)))

    @property
    def address(self) -> str:
        """The address as lines."""
        return "\n".join(filter(None, (self.street, " ".join(filter(None, (self.postal_code, self.city))))))


Admission = Accept | Discard | Enrol


@runtime_checkable
class Admitting(Protocol):
    """A back end that can take in and let go."""

    async def admit(self, request: Admission) -> Outcome:
        """Do it, once; durable and known again as in Backend.perform."""
        ...
