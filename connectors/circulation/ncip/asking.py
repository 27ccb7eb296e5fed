"""What answers are made with: who asks, what they may be told, the library's back end, and the message."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from connectors.circulation.backend import Backend
from connectors.circulation.domain import Credentials, Patron
from connectors.circulation.doors import Caller, Doors
from connectors.circulation.ncip.problems import LATER, MISSING, Problem, because
from connectors.circulation.ncip.reading import Message, Part
from connectors.circulation.ncip.schemes import CURRENCY
from connectors.circulation.ncip.writing import Node, node, value

_PARTED_CPR = re.compile(r"(\d{6})[- ](\d{4})")
_SECRETS = ("pin", "password", "pincode", "passcode")
MONEY = Decimal("0.01")
LATEST = 2200
"""The last year of a moment that is believed."""


@dataclass(frozen=True)
class Asking:
    """One message of a caller that was let in. `name` is the caller's in doors.yaml; `backend` guards PINs for it, `house` is the library's own."""

    message: Message
    name: str
    caller: Caller
    doors: Doors
    backend: Backend
    house: Backend
    zone: ZoneInfo
    now: datetime

    @property
    def body(self) -> Part:
        return self.message.body

    @property
    def old(self) -> bool:
        """Whether it is answered in 1.x."""
        return self.message.old

    def wants(self, kind: str) -> bool:
        """Whether the message asks for an element by its name in the schemes of user or item elements, such as Name Information."""
        return any(part.text.lower() == kind.lower() for name in ("UserElementType", "ItemElementType") for part in self.body.every(name))

    def card(self) -> str:
        """The card of the message's user; '' when it names none."""
        named = self.body.has("UserId") or self.body.has("AuthenticationInput")
        return self.who().card if named else ""

    def who(self) -> Credentials:
        """The user of the message, and the PIN as far as the caller's is looked at. Problem when there is no user, or a PIN is missing."""
        card, pin = self.body.said("UserId", "UserIdentifierValue"), ""
        element = "UserId" if card else "AuthenticationInput"
        for given in self.body.every("AuthenticationInput"):
            kind, data = given.said("AuthenticationInputType").lower().replace(" ", ""), given.said("AuthenticationInputData")
            if kind in _SECRETS:
                pin = pin or data
            else:
                card = card or data
        if not card:
            raise Problem(MISSING, element)
        if self.caller.pin == "always" and not pin:
            raise Problem(MISSING, "AuthenticationInput")
        return Credentials(plain_card(card), (pin or None) if self.caller.pin != "never" else None)

    async def patron(self, who: Credentials) -> Patron:
        """The patron, whose PIN is right where one was given. Problem otherwise."""
        patron = await self.backend.patron(who)
        if patron is None:
            raise because(self.message.service, "CARD_UNKNOWN")
        if not patron.patron and not patron.pin_right:
            raise Problem(LATER, "", "AWAY")  # a card alone, while the library system is away: nobody knows whether there is such a patron
        self.let_in(who, patron)
        return patron

    def let_in(self, who: Credentials, patron: Patron) -> None:
        """Problem when the PIN that was given is wrong, or cannot be checked and the card alone is not enough."""
        if who.pin is not None and not (patron.pin_right or (patron.pin_right is None and self.caller.card_alone)):
            problem = because(self.message.service, "PIN_WRONG")
            raise Problem(problem.kind, "AuthenticationInput")

    def item(self) -> str:
        """The barcode of the message's first item, or ''."""
        return self.body.said("ItemId", "ItemIdentifierValue")

    def request(self) -> str:
        """The number of the request that the message is about, or ''."""
        return self.body.said("RequestId", "RequestIdentifierValue")

    def title(self) -> str:
        """The control number of the title that the message is about, or ''."""
        found = self.body.one("BibliographicId")
        if found is None:
            return ""
        return found.said("BibliographicRecordId", "BibliographicRecordIdentifier") or found.said(
            "BibliographicItemId", "BibliographicItemIdentifier"
        )

    def moment(self, *path: str, earliest: int = 1970) -> datetime | None:
        """A moment of the message; without a zone it is in the library's. Problem for what is none, or no moment that anybody means."""
        text = self.body.said(*path)
        if not text:
            return None
        try:
            found = datetime.fromisoformat(text)
        except ValueError:
            raise Problem("Invalid Date", path[-1]) from None
        if not earliest <= found.year <= LATEST:
            raise Problem("Invalid Date", path[-1])
        return found if found.tzinfo else found.replace(tzinfo=self.zone)

    def said(self, *about: object) -> dict[str, object]:
        """What every request to a back end says. The key is the same for a message that is sent again (docs/flows/ncip.md, "Sent again")."""
        mandated = self.moment("MandatedAction", "DateEventOccurred") if self.caller.mandates else None
        text = repr(("ncip", self.name, self.message.service, mandated, *about))
        return {"terminal": f"ncip:{self.name}", "at": mandated or self.now, "branch": self.branch, "no_block": mandated is not None,
                "key": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:32]}  # fmt: skip

    @property
    def branch(self) -> str:
        return self.doors.branch if self.caller.branch is None else self.caller.branch

    def agency(self) -> Node:
        """The library's own name."""
        return value("AgencyId", self.doors.agency, self.doors.scheme)

    def user_id(self, card: str) -> Node:
        return node("UserId", self.agency(), Node("UserIdentifierValue", card))

    def item_id(self, item: str) -> Node:
        return node("ItemId", self.agency(), Node("ItemIdentifierValue", item))

    def request_id(self, hold: str) -> Node:
        return node("RequestId", self.agency(), Node("RequestIdentifierValue", hold))

    def stamp(self, moment: datetime) -> str:
        """A moment as XML Schema has it, on the library's clock."""
        return moment.astimezone(self.zone).isoformat(timespec="seconds")


def plain_card(text: str) -> str:
    """A card as it is looked up: without blanks around, and a Danish civil number (CPR) without the hyphen in it."""
    found = _PARTED_CPR.fullmatch(text.strip())
    return found[1] + found[2] if found else text.strip()


def amount(name: str, sum_: Decimal, currency: str) -> Node:
    """Money: NCIP counts in the currency's smallest unit."""
    hundredths = int((sum_ / MONEY).to_integral_value())
    return node(name, value("CurrencyCode", currency, CURRENCY), Node("MonetaryValue", str(hundredths)))
