"""A small library with rules of its own: who has what, who waits for what, who owes what. It knows no protocol.

The ids are numbers, as Koha's are, and UUIDs of those numbers, as FOLIO's are (what was made over FOLIO's interface keeps the UUIDs it came
with). Times are aware, days end at 23:59 in `zone`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Literal
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

from include.engine import clock

_SPACE = UUID("5b1f8f6e-3a43-4c0b-9f8e-0a4d3c0f6d11")


def uuid_of(kind: str, number: int) -> str:
    """The UUID of a thing: always the same."""
    return str(uuid5(_SPACE, f"{kind}{number}"))


@dataclass
class Patron:
    id: int
    card: str
    name: str
    category: str = "adult"
    library: str = "main"
    pin: str = ""
    expires: date | None = None
    born: date | None = None
    restricted: bool = False
    card_lost: bool = False
    blocked_by: str = ""
    email: str = ""
    enrolled: date | None = None
    made: datetime | None = None
    uuid: str = ""
    userid: str = ""


@dataclass
class Copy:
    id: int
    barcode: str
    title_id: int
    title: str
    material: str = "book"
    home: str = "main"
    at: str = "main"
    state: Literal["", "lost", "withdrawn", "held", "transit"] = ""
    goes_to: str = ""
    uuids: dict[str, str] = field(default_factory=dict)


@dataclass
class Loan:
    id: int
    patron: Patron
    copy: Copy
    at: datetime
    due: datetime
    library: str
    renewals: int = 0
    renewed: datetime | None = None
    dated: datetime | None = None
    returned: datetime | None = None


@dataclass
class Hold:
    id: int
    patron: Patron
    title_id: int
    pickup: str
    at: datetime
    copy: Copy | None = None
    status: Literal["", "waiting", "transit"] = ""
    uuid: str = ""


@dataclass
class Debt:
    id: int
    patron: Patron
    amount: Decimal
    left: Decimal
    kind: str = "OVERDUE"
    title: str = ""


@dataclass
class Payment:
    id: int
    patron: Patron
    amount: Decimal
    note: str
    at: datetime
    debts: tuple[int, ...] = ()
    left: Decimal = Decimal(0)


@dataclass
class Rules:
    days: dict[str, int] = field(default_factory=lambda: {"dvd": 7})
    default_days: int = 28
    loans: int = 4
    holds: int = 2
    renewals: int = 2
    owes: Decimal = Decimal(100)
    ages: dict[str, int] = field(default_factory=lambda: {"dvd": 15})
    not_for_loan: frozenset[str] = frozenset({"reference"})


@dataclass
class Library:
    """Everything, in memory. Loans that ended stay in `history`."""

    rules: Rules = field(default_factory=Rules)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("Europe/Copenhagen"))
    now: Callable[[], datetime] = clock.now
    patrons: dict[int, Patron] = field(default_factory=dict)
    copies: dict[str, Copy] = field(default_factory=dict)
    loans: dict[str, Loan] = field(default_factory=dict)
    history: list[Loan] = field(default_factory=list)
    holds: dict[int, Hold] = field(default_factory=dict)
    debts: dict[int, Debt] = field(default_factory=dict)
    payments: list[Payment] = field(default_factory=list)
    lent: list[tuple[str, str]] = field(default_factory=list)
    """Every loan that was made, as card and barcode: a test sees here what was made twice."""
    _last: int = 100

    def next_id(self) -> int:
        self._last += 1
        return self._last

    def patron(self, card: str) -> Patron | None:
        return next((one for one in self.patrons.values() if one.card == card), None)

    def copy(self, number: int) -> Copy | None:
        return next((one for one in self.copies.values() if one.id == number), None)

    def owes(self, patron: Patron) -> Decimal:
        return sum((debt.left for debt in self.debts.values() if debt.patron is patron), Decimal(0))

    def loans_of(self, patron: Patron) -> list[Loan]:
        return sorted((loan for loan in self.loans.values() if loan.patron is patron), key=lambda one: (one.at, one.id))

    def queue(self, title_id: int) -> list[Hold]:
        return sorted((hold for hold in self.holds.values() if hold.title_id == title_id), key=lambda one: (one.at, one.id))

    def barred(self, patron: Patron) -> str:
        """Why a patron may not borrow: lost, blocked, expired, owes, or ''."""
        if patron.card_lost:
            return "lost"
        if patron.restricted:
            return "blocked"
        if patron.expires and patron.expires < self.now().astimezone(self.zone).date():
            return "expired"
        return "owes" if self.owes(patron) > self.rules.owes else ""

    def against(self, patron: Patron, copy: Copy) -> list[str]:
        """Everything against a loan; nothing of it is decided here."""
        found = [why] if (why := self.barred(patron)) else []
        loan = self.loans.get(copy.barcode)
        if loan is not None:
            found.append("own" if loan.patron is patron else "on_loan")
        if copy.state in ("lost", "withdrawn") or copy.material in self.rules.not_for_loan:
            found.append(copy.state if copy.state in ("lost", "withdrawn") else "not_for_loan")
        if any(hold.copy is copy and hold.patron is not patron for hold in self.queue(copy.title_id)):
            found.append("held")
        if patron.born and self._age(patron) < self.rules.ages.get(copy.material, 0):
            found.append("young")
        if loan is None and len(self.loans_of(patron)) >= self.rules.loans:
            found.append("many")
        return found

    def _age(self, patron: Patron) -> int:
        assert patron.born is not None
        today = self.now().astimezone(self.zone).date()
        return today.year - patron.born.year - ((today.month, today.day) < (patron.born.month, patron.born.day))

    def lend(self, patron: Patron, copy: Copy, library: str, at: datetime | None = None, due: datetime | None = None) -> Loan:
        """Lend it, whatever is against it; who had it before has returned it."""
        if copy.barcode in self.loans:
            self.take_back(copy, library, trap=False)
        at = at or self.now()
        days = self.rules.days.get(copy.material, self.rules.default_days)
        loan = Loan(self.next_id(), patron, copy, at, due or self.due(at, days), library)
        self.loans[copy.barcode] = loan
        copy.state, copy.at, copy.goes_to = "", library, ""
        own = [hold for hold in self.queue(copy.title_id) if hold.patron is patron and hold.copy in (None, copy)]
        for hold in own[:1]:
            del self.holds[hold.id]
        self.lent.append((patron.card, copy.barcode))
        return loan

    def due(self, at: datetime, days: int) -> datetime:
        return datetime.combine(at.astimezone(self.zone).date() + timedelta(days=days), time(23, 59), self.zone).astimezone(UTC)

    def renewable(self, loan: Loan) -> str:
        """Why a loan may not be renewed: on_reserve, many, what bars the patron, or ''."""
        if why := self.barred(loan.patron):
            return why
        if any(hold.patron is not loan.patron for hold in self.queue(loan.copy.title_id)):
            return "on_reserve"
        return "many" if loan.renewals >= self.rules.renewals else ""

    def renew(self, loan: Loan, due: datetime | None = None) -> Loan:
        days = self.rules.days.get(loan.copy.material, self.rules.default_days)
        loan.due = max(due or self.due(self.now(), days), loan.due)
        loan.renewals, loan.renewed = loan.renewals + 1, self.now()
        return loan

    def take_back(self, copy: Copy, library: str, at: datetime | None = None, *, trap: bool = True) -> tuple[Loan | None, Hold | None]:
        """The loan that ended and the hold that the copy is for now."""
        loan = self.loans.pop(copy.barcode, None)
        if loan is not None:
            loan.returned = at or self.now()
            self.history.append(loan)
        copy.at = library or copy.at
        hold = next((one for one in self.queue(copy.title_id) if one.copy in (None, copy)), None) if trap else None
        if hold is not None:
            here = hold.pickup == copy.at
            hold.copy, hold.status = copy, "waiting" if here else "transit"
            copy.state, copy.goes_to = ("held", "") if here else ("transit", hold.pickup)
        elif copy.home != copy.at:
            copy.state, copy.goes_to = "transit", copy.home
        elif copy.state in ("held", "transit"):
            copy.state, copy.goes_to = "", ""
        return loan, hold

    def reserve(self, patron: Patron, title_id: int, pickup: str, copy: Copy | None = None) -> Hold:
        hold = Hold(self.next_id(), patron, title_id, pickup, self.now(), copy)
        self.holds[hold.id] = hold
        return hold

    def cancel(self, hold: Hold) -> None:
        del self.holds[hold.id]
        if hold.copy is not None and hold.copy.state == "held":
            hold.copy.state = ""

    def pay(self, patron: Patron, amount: Decimal, note: str, debts: list[int] | None = None) -> Payment:
        """Off the named debts, else off the oldest."""
        left = amount
        found = [self.debts[number] for number in debts or () if number in self.debts]
        touched = []
        for debt in found or [one for one in self.debts.values() if one.patron is patron]:
            paid = min(left, debt.left)
            if paid:
                debt.left, left = debt.left - paid, left - paid
                touched.append(debt.id)
        payment = Payment(self.next_id(), patron, amount, note, self.now(), tuple(touched), left)
        self.payments.append(payment)
        return payment
