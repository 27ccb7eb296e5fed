"""What a library system must be able to do for self-service: three questions, and requests that change something."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from connectors.circulation.admission import Admission
from connectors.circulation.domain import Credentials, Item, Outcome, Patron, Request
from include.engine.errors import BinderyError


class Away(BinderyError):
    """The library system does not answer. Store and forward decides what is done meanwhile."""

    code = "UNREACHABLE"


class Unsure(Away):
    """It was asked to change something and did not say what came of it: it may be done. Look (Remote.happened) before asking again."""


class Unread(Unsure):
    """It answered, and what it said could not be read: one patron's odd data, or a fault of ours. It is there all the same."""


class Odd(Away):
    """It is there, and answered what it describes nowhere: a permission that is missing, a login that is wrong. Waiting alone does not mend that."""


class Backend(Protocol):
    """A library system. Every call may raise Away; none of them holds up the event loop."""

    async def patron(self, who: Credentials, *, whole: bool = True) -> Patron | None:
        """The patron of a card, or None. With a PIN, `pin_right` says whether it is theirs. `whole`: with loans, holds and fees."""
        ...

    async def item(self, item: str) -> Item | None:
        """The copy with this barcode, or None."""
        ...

    async def perform(self, request: Request) -> Outcome:
        """Do it, once. When the outcome is ok, it is durable, and the same key asked again gets the same outcome."""
        ...

    async def known(self, key: str) -> bool:
        """Whether a request with this key is done already, or under way: a profile's own rules are not asked of it again."""
        ...

    async def online(self) -> bool:
        """Whether the system answers now."""
        ...


class Remote(Backend, Protocol):
    """A library system of somebody else's, over a network. `perform` may raise Unsure; keys and journals are not its business.

    `backdates`: a loan that is told late begins there when it did; without it, it begins when it is told.
    """

    @property
    def backdates(self) -> bool: ...

    async def admit(self, request: Admission) -> Outcome:
        """See Admitting."""
        ...

    async def happened(self, request: Request | Admission, since: datetime) -> Outcome | None:
        """Whether the system has done this since that moment: what came of it, or None when it was not done. Away when that cannot be read."""
        ...

    async def close(self) -> None:
        """Close the connections."""
        ...
