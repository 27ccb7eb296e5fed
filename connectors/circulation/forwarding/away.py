"""What is answered while the library system is away: by the policy, the copy and what waits already."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from msgspec.structs import replace

from connectors.circulation.domain import Block, Checkin, Checkout, Credentials, Item, Loan, Outcome, Patron, Pay, Renew, Request
from connectors.circulation.forwarding.copy import Copy
from connectors.circulation.forwarding.policy import Policy
from connectors.circulation.forwarding.state import State
from connectors.circulation.plain import kind_of, nameless

ACCEPTED = "AWAY_ACCEPTED"
_AWAY = Outcome(False, "AWAY")


class Away:
    """Decides; it changes nothing. `pin_known` says whether a PIN was right a while ago, when the library system could still be asked."""

    def __init__(self, policy: Policy, copy: Copy, state: State) -> None:
        self.policy, self._copy, self._state = policy, copy, state

    async def patron(self, who: Credentials) -> Patron | None:
        """The patron as the copy has them, else the card alone when it looks like one; with the loans that wait."""
        found = await self._copy.patron(who)
        if found is None:
            if self.policy.unknown_cards == "refuse" or not re.fullmatch(self.policy.cards, who.card):
                return None
            found = nameless(who.card, currency=self._copy.terms.currency)
        return replace(found, loans=self._loans(found, who.card))

    def item(self, barcode: str) -> Item | None:
        """The item as the copy has it, or what a barcode alone tells."""
        found = self._copy.item(barcode)
        if found is None and (self.policy.unknown_items == "refuse" or not re.fullmatch(self.policy.items, barcode)):
            return None
        return found or Item(barcode, "", "unknown")

    async def decide(self, asked: Request, now: datetime, since: datetime | None) -> Outcome:
        """What is answered: ok with AWAY_ACCEPTED, or why not. What a machine did while it was alone is always taken."""
        if asked.no_block and kind_of(asked) in ("checkout", "checkin", "renew"):
            return Outcome(True, ACCEPTED, item=self.item(getattr(asked, "item", "")), due=getattr(asked, "due", None))
        if kind_of(asked) not in self.policy.services or len(self._state.waiting) >= self.policy.waiting:
            return _AWAY
        if since is not None and now - since > timedelta(hours=self.policy.hours):
            return _AWAY
        match asked:
            case Checkin(undo=True):
                return _AWAY
            case Checkin():
                item = self.item(asked.item)
                return Outcome(item is not None, (ACCEPTED if self.policy.set_aside else "") if item else "ITEM_UNKNOWN", item=item)
            case Checkout(undo=True):
                return self._undone(asked)
            case Checkout() | Renew():
                return await self._lent(asked, now)
            case Pay():
                return Outcome(True, ACCEPTED, patron=await self.patron(asked.patron), transaction=asked.transaction)
            case Block():
                return Outcome(True, ACCEPTED, patron=await self.patron(asked.patron))
            case _:
                return Outcome(True, ACCEPTED)

    async def _lent(self, asked: Checkout | Renew, now: datetime) -> Outcome:
        patron, item = await self.patron(asked.patron), self.item(asked.item)
        if isinstance(asked, Renew) and not asked.item:
            return _AWAY  # nobody knows what "all" is
        if patron is None or item is None:
            return Outcome(False, "CARD_UNKNOWN" if patron is None else "ITEM_UNKNOWN")
        if why := self._against(asked, patron, item, now):
            return Outcome(False, why, item=item, patron=patron)
        due = self._copy.due(now, patron.category, item.material)
        return Outcome(True, ACCEPTED, item=item, patron=patron, due=due, renewed=isinstance(asked, Renew))

    def _against(self, asked: Checkout | Renew, patron: Patron, item: Item, now: datetime) -> str:
        if patron.pin_right is False:
            return "PIN_WRONG"
        if patron.blocks:
            return patron.blocks[0]
        if patron.valid_until and patron.valid_until < self._copy.terms.today(now):
            return "CARD_EXPIRED"
        if patron.fees_limit is not None and patron.owes > patron.fees_limit:
            return "OWES_TOO_MUCH"
        if item.status in ("lost", "withdrawn"):
            return "ITEM_NOT_FOR_LOAN"
        if item.hold_for and item.hold_for != patron.patron:
            return "ITEM_HELD"
        mine = len(self._state.waiting_of(asked.patron.card, "renew" if isinstance(asked, Renew) else "checkout"))
        if isinstance(asked, Renew):
            return "TOO_MANY_RENEWALS" if mine >= self.policy.renewals else ""
        if mine >= self.policy.loans or (patron.loans_limit is not None and len(patron.loans) >= patron.loans_limit):
            return "TOO_MANY_LOANS"
        if self._out_to(asked.item) not in ("", asked.patron.card):
            return "ITEM_ON_LOAN"
        return "LENT_TO_YOU" if self._out_to(asked.item) else ""

    def _out_to(self, barcode: str) -> str:
        """Whose card an item went out on while the library system was away; '' when it came back or did not go."""
        card = ""
        for one in self._state.waiting.values():
            if one.asked.get("item") == barcode and one.kind in ("checkout", "checkin"):
                card = "" if one.kind == "checkin" or one.asked.get("undo") else one.asked["patron"]
        return card

    def _undone(self, asked: Checkout) -> Outcome:
        if self._out_to(asked.item) != asked.patron.card:
            return _AWAY
        return Outcome(True, "", item=self.item(asked.item))

    def _loans(self, patron: Patron, card: str) -> tuple[Loan, ...]:
        """The copy's loans and those that wait, without what came back."""
        found = {loan.item: loan for loan in patron.loans}
        for one in self._state.waiting.values():
            barcode = one.asked.get("item", "")
            if one.kind == "checkin" or one.asked.get("undo"):
                found.pop(barcode, None)
            elif one.kind == "checkout" and one.asked.get("patron") == card and one.said.get("due"):
                at, due = datetime.fromisoformat(one.at), datetime.fromisoformat(one.said["due"])
                found[barcode] = Loan(barcode, one.said.get("title", ""), at, due)
        return tuple(sorted(found.values(), key=lambda loan: (loan.loaned_at, loan.item)))
