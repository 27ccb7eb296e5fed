"""The frame of every library system behind a network: which of its judgments a request needs, and what its state says of one that it did not answer.

What differs between systems is in `Ways`: their calls, and what they make of them. What does not is here: one budget of time for each message,
who is asked for what, and how a request is looked up whose answer was lost.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from connectors.circulation.admission import Accept, Admission, Discard, Enrol
from connectors.circulation.backend import Away
from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Item, Note, Outcome, Patron, Pay, Renew, Request, Reserve
from connectors.circulation.remote.http import within
from connectors.circulation.remote.settings import RemoteSettings

SKEW = timedelta(seconds=90)
"""How far the library system's clock may be behind ours when its state is read for what came of a request."""
ONLINE_SECONDS = 3.0
CANNOT = Outcome(False, "TERMINAL_CANNOT")
"""What the library system has no call for."""


@dataclass(frozen=True)
class Lent:
    """How a copy is out. `own`: to the patron in question, whose `patron` is; `lent` and `renewed` are the moments of the last of each, where known."""

    own: bool
    patron: Patron
    item: Item
    due: datetime
    lent: datetime | None
    renewed: datetime | None


class Ways(Protocol):
    """One library system's calls and judgments. Each is called within a budget; each may raise Away, and a change may raise Unsure."""

    @property
    def settings(self) -> RemoteSettings: ...

    @property
    def backdates(self) -> bool: ...

    async def patron(self, who: Credentials, *, whole: bool) -> Patron | None: ...
    async def item(self, item: str) -> Item | None: ...

    async def do(self, asked: Request | Admission) -> Outcome:
        """Do it: everything but what `System` does by itself (undoing) and what no system has a call for (notes)."""
        ...

    async def lent(self, card: str, item: str) -> Lent | None:
        """How the copy is out; None when it is not, or card or copy are unknown."""
        ...

    async def returned(self, item: str, since: datetime, told: datetime | None) -> Item | None:
        """The copy, when it came back since that moment, or (`told`) on the moment that the system was told; None when it did not."""
        ...

    async def held(self, asked: Reserve) -> tuple[bool, Patron] | None:
        """Whether the patron has such a hold now; None when it cannot be looked for."""
        ...

    async def paid(self, asked: Pay) -> Outcome | None:
        """What came of a payment that is booked, None when it is not; PAID_PERHAPS when the system cannot say."""
        ...

    async def blocked(self, asked: Block) -> bool | None:
        """Whether the machine's own block stands; None where the system has none."""
        ...

    async def admitted(self, asked: Admission, since: datetime) -> Outcome | None:
        """What came of taking in or letting go, finished where it had stopped halfway; None when it is to be done (again)."""
        ...

    def changed(self, card: str) -> None:
        """What was learnt of this patron a moment ago is out of date."""
        ...

    async def answers(self) -> bool:
        """Whether it answers a question and accepts our login."""
        ...

    async def close(self) -> None: ...


class System:
    """See Remote and Admitting. Nothing is written down here: `forwarding` does that."""

    def __init__(self, ways: Ways) -> None:
        self.ways = ways

    @property
    def backdates(self) -> bool:
        """See Remote."""
        return self.ways.backdates

    async def patron(self, who: Credentials, *, whole: bool = True) -> Patron | None:
        """See Backend."""
        with self._budget():
            return await self.ways.patron(who, whole=whole)

    async def item(self, item: str) -> Item | None:
        """See Backend."""
        with self._budget():
            return await self.ways.item(item)

    async def perform(self, request: Request) -> Outcome:
        """See Remote."""
        with self._budget():
            match request:
                case Checkout(undo=True):
                    return await self._taken_back(request)
                case Checkin(undo=True) | Note():
                    return CANNOT
                case _:
                    return await self.ways.do(request)

    async def admit(self, request: Admission) -> Outcome:
        """See Admitting."""
        with self._budget():
            return await self.ways.do(request)

    async def happened(self, request: Request | Admission, since: datetime) -> Outcome | None:
        """See Remote."""
        at = since - SKEW
        with self._budget():
            match request:
                case Checkout(undo=True) | Checkin():
                    told = request.returned if isinstance(request, Checkin) else None
                    item = await self.ways.returned(request.item, at, told)
                    return Outcome(True, item=item) if item else None
                case Renew(item=""):
                    return None  # a second renewal of everything goes no further than the rules let it
                case Checkout() | Renew():
                    return await self._has_it(request, at)
                case Reserve(change="alter"):
                    return None  # what it was before cannot be told from what it is to be: done again, it is the same
                case Reserve():
                    found = await self.ways.held(request)
                    return Outcome(True, patron=found[1]) if found and found[0] == (request.change != "delete") else None
                case Pay():
                    return await self.ways.paid(request)
                case Block():
                    return Outcome(True) if await self.ways.blocked(request) is request.blocked else None
                case Accept() | Discard() | Enrol():
                    return await self.ways.admitted(request, at)
                case Note():
                    return None

    async def _taken_back(self, asked: Checkout) -> Outcome:
        """A loan that was not: a return, when it is this patron's."""
        loan = await self.ways.lent(asked.patron.card, asked.item)
        if loan is None or not loan.own:
            return Outcome(False, "NOT_LENT")
        done = await self.ways.do(Checkin(asked.terminal, asked.at, asked.branch, asked.key, item=asked.item))
        return Outcome(done.ok, "" if done.ok else done.reason, item=done.item, patron=loan.patron)

    async def _has_it(self, asked: Checkout | Renew, at: datetime) -> Outcome | None:
        loan = await self.ways.lent(asked.patron.card, asked.item)
        if loan is None or not (loan.own or isinstance(asked, Renew)):
            return None
        renewed = loan.renewed is not None and loan.renewed >= at
        if not (renewed or (isinstance(asked, Checkout) and loan.lent is not None and loan.lent >= at)):
            return None
        self.ways.changed(asked.patron.card)
        return Outcome(True, item=loan.item, patron=loan.patron, due=loan.due, renewed=renewed)

    async def known(self, key: str) -> bool:
        """See Backend: keys are not its business."""
        return False

    async def online(self) -> bool:
        """See Backend: whether it answers a question and accepts our login."""
        try:
            with within(min(ONLINE_SECONDS, self.ways.settings.message_seconds)):
                return await self.ways.answers()
        except Away:
            return False

    async def close(self) -> None:
        """See Remote."""
        await self.ways.close()

    def _budget(self) -> AbstractContextManager[None]:
        return within(self.ways.settings.message_seconds)
