"""Taking in what a library did not have: a copy of another library's (interlending), a new patron; and letting a copy go again.

Kiosks never ask for these, and not every back end can do them: one that can is `Admitting`, beside being a Backend.
"""

from __future__ import annotations

from datetime import date
from typing import ClassVar, Protocol, runtime_checkable

from connectors.circulation.domain import NOBODY, Asked, Credentials, Outcome


class Accept(Asked, frozen=True, gc=False):
    """Another library's copy has come, for a patron or for nobody yet. `owner` is where it goes back to; `pickup` where it is fetched."""

    item: str = ""
    title: str = ""
    owner: str = ""
    patron: Credentials = NOBODY
    pickup: str = ""


class Discard(Asked, frozen=True, gc=False):
    """A copy has left for good."""

    item: str = ""


class Enrol(Asked, frozen=True, gc=False):
    """A new patron. The PIN of `patron` is kept as a hash alone. What is personal is neither shown (repr) nor written down (plain.py)."""

    PERSONAL: ClassVar = frozenset({"birth_date", "given", "surname", "street", "postal_code", "city", "email", "phone"})

    patron: Credentials = NOBODY
    category: str = ""
    language: str = ""
    birth_date: date | None = None
    given: str = ""
    surname: str = ""
    street: str = ""
    postal_code: str = ""
    city: str = ""
    email: str = ""
    phone: str = ""

    def __repr__(self) -> str:
        return f"Enrol({self.key!r})"

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
