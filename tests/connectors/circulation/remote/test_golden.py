"""One conversation of a kiosk, with three library systems behind it: what the patron is told is the same.

What may differ is said in `ALLOWED`, and why.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal

import pytest

from connectors.circulation.backend import Backend
from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.sip2.codec import parse
from include.sandbox.servers.ils import Library
from include.sandbox.servers.ils.state import Debt
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.remote.site import running as running_system
from tests.connectors.circulation.running import Raw, running

NOW = "20261120    130000"
NONE = " " * 18
CONVERSATION = {
    "status of the patron": f"23001{NOW}AOlindeby|AAc1|AC|AD1234|",
    "an unknown card": f"23001{NOW}AOlindeby|AAnobody|AC|AD1234|",
    "a wrong PIN": f"23001{NOW}AOlindeby|AAc1|AC|AD4321|",
    "an expired card": f"23001{NOW}AOlindeby|AAc3|AC|",
    "borrow with a wrong PIN": f"11NN{NOW}{NONE}AOlindeby|AAc1|ABb1|AC|AD4321|",
    "borrow": f"11NN{NOW}{NONE}AOlindeby|AAc1|ABb1|AC|AD1234|",
    "the same again": f"11NN{NOW.replace('1300', '1301')}{NONE}AOlindeby|AAc1|ABb1|AC|",
    "another borrows it": f"11NN{NOW}{NONE}AOlindeby|AAc2|ABb1|AC|",
    "not for loan": f"11NN{NOW}{NONE}AOlindeby|AAc1|ABr1|AC|",
    "an unknown item": f"11NN{NOW}{NONE}AOlindeby|AAc1|ABnone|AC|",
    "an expired card borrows": f"11NN{NOW}{NONE}AOlindeby|AAc3|ABb2|AC|",
    "borrow a film": f"11NN{NOW}{NONE}AOlindeby|AAc1|ABd1|AC|",
    "borrow from another branch": f"11NN{NOW}{NONE}AOlindeby|AAc1|ABb2|AC|",
    "what do they have": f"63001{NOW}  Y       AOlindeby|AAc1|AC|AD1234|",
    "the item": f"17{NOW}AOlindeby|ABb1|",
    "renew": f"29NN{NOW}{NONE}AOlindeby|AAc1|ABd1|",
    "renew what is not lent": f"29NN{NOW}{NONE}AOlindeby|AAc1|ABd2|",
    "renew all": f"65{NOW}AOlindeby|AAc1|",
    "pay a part": f"37{NOW}0100DKKBV20.00|AOlindeby|AAc1|BKT1|",
    "pay the wrong currency": f"37{NOW}0100EURBV20.00|AOlindeby|AAc1|BKT2|",
    "what is owed": f"23001{NOW}AOlindeby|AAc1|AC|AD1234|",
    "place a hold": f"15+{NOW}BSnorth|AOlindeby|AAc2|ABd1|",
    "place it again": f"15+{NOW.replace('1300', '1302')}BSnorth|AOlindeby|AAc2|ABd1|",
    "others wait: no renewal": f"29NN{NOW.replace('1300', '1303')}{NONE}AOlindeby|AAc1|ABd1|",
    "return": f"09N{NOW}{NOW}APmain|AOlindeby|ABb1|AC|",
    "return from another branch": f"09N{NOW}{NOW}APmain|AOlindeby|ABb2|AC|",
    "return what is held": f"09N{NOW}{NOW}APmain|AOlindeby|ABd1|AC|",
    "cancel the hold": f"15-{NOW}AOlindeby|AAc2|ABd1|",
    "return what is unknown": f"09N{NOW}{NOW}APmain|AOlindeby|ABnone|AC|",
    "return what was not lent": f"09N{NOW.replace('1300', '1304')}{NOW}APmain|AOlindeby|ABb1|AC|",
    "end of session": f"35{NOW}AOlindeby|AAc1|AC|",
    "enable": f"25{NOW}AOlindeby|AAc2|AC|",
}
ALLOWED = {"CY": "who waits is named by the library system's own number or card"}
ON_REFUSAL = {"AJ", "AH", "CK"}
"""Title, due date and kind of an item that was refused are a courtesy: they are told where they cost no further call."""


@contextmanager
def _embedded(library: Embedded) -> Iterator[Backend]:
    library.store.fill("fee", [{"fee": "1", "patron": "p1", "outstanding": 5000, "title": "Late"}])
    yield library


def _owing(library: Library) -> None:
    library.debts[1] = Debt(1, library.patrons[1], Decimal(50), Decimal(50), title="Late")


@contextmanager
def _remote(kind: str, clock: Clock) -> Iterator[Backend]:
    with running_system(kind, clock) as site:
        _owing(site.library)
        yield site.opened()


def _told(system: str, library: Embedded, clock: Clock) -> dict[str, object]:
    found: dict[str, object] = {}
    behind = _embedded(library) if system == "embedded" else _remote(system, clock)
    with behind as backend, running(backend, now=clock) as server:
        with Raw(server.port) as kiosk:
            kiosk.log_in()
            for name, line in CONVERSATION.items():
                answer = parse(kiosk.ask(line))
                hidden = {*ALLOWED, *(ON_REFUSAL if answer.fixed.get("ok") == "0" else ())}
                fields = {code: sorted(answer.every(code)) for code in answer.fields if code not in hidden}
                found[name] = (answer.code, answer.fixed, fields)
        if system != "embedded":
            server.call(backend.close())  # type: ignore[attr-defined]
    return found


@pytest.mark.parametrize("system", ["koha", "folio"])
def test_the_same_conversation_has_the_same_outcomes(system: str, library: Embedded, clock: Clock) -> None:
    other = _told(system, library, clock)
    clock_again = Clock()
    clock.now = clock_again.now
    own = _told("embedded", library, clock)
    different = {name: (other[name], own[name]) for name in CONVERSATION if other[name] != own[name]}
    assert not different, "\n".join(f"{name}:\n  {one}\n  {two}" for name, (one, two) in different.items())
