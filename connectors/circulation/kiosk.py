"""A simulated self-check: a person's borrowing and returning at one machine, or the load of many."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice
from time import perf_counter

from connectors.circulation.sip2.client import Client
from connectors.circulation.sip2.codec import Parsed
from include.engine import clock

NOWHERE = " " * 18


@dataclass
class Told:
    """What one machine was answered: seconds from each question to its answer, and how many loans and returns were ok."""

    seconds: list[float] = field(default_factory=list)
    ok: int = 0
    refused: int = 0


class Kiosk:
    """One machine with one connection."""

    def __init__(self, client: Client, institution: str) -> None:
        self._client, self._institution = client, institution
        self.told = Told()
        self.now: Callable[[], datetime] = clock.now

    @classmethod
    async def connect(cls, host: str, port: int, login: str, password: str, *, institution: str = "", checked: bool = False) -> Kiosk:
        """Connect and log in. PermissionError when the login is refused."""
        client = await Client.connect(host, port, checked=checked)
        answer = await client.ask("93", {}, {"CN": login, "CO": password})
        if answer.fixed.get("ok") != "1":
            await client.close()
            raise PermissionError(f"the login {login!r} was refused")
        return cls(client, institution)

    async def patron(self, card: str, pin: str = "", summary: str = "  Y       ") -> Parsed:
        """63: who is it, and what do they have?"""
        return await self._timed("63", {"language": "000", "transaction date": self._stamp(), "summary": summary}, {"AA": card, "AD": pin})

    async def status(self, card: str, pin: str = "") -> Parsed:
        """23: may they borrow?"""
        return await self._timed("23", {"transaction date": self._stamp()}, {"AA": card, "AD": pin})

    async def borrow(self, card: str, item: str, pin: str = "") -> Parsed:
        """11."""
        return self._counted(
            await self._timed("11", {"transaction date": self._stamp(), "no block due date": NOWHERE}, {"AA": card, "AB": item, "AD": pin})
        )

    async def give_back(self, item: str) -> Parsed:
        """09."""
        now = self._stamp()
        return self._counted(await self._timed("09", {"transaction date": now, "return date": now}, {"AB": item}))

    async def close(self) -> None:
        """Leave."""
        await self._client.close()

    def _stamp(self) -> str:
        return f"{self.now().astimezone(UTC):%Y%m%d   Z%H%M%S}"

    async def _timed(self, code: str, fixed: dict[str, str], fields: dict[str, str]) -> Parsed:
        begun = perf_counter()
        answer = await self._client.ask(code, fixed, {"AO": self._institution, "AC": "", **fields})
        self.told.seconds.append(perf_counter() - begun)
        return answer

    def _counted(self, answer: Parsed) -> Parsed:
        if answer.fixed["ok"] == "1":
            self.told.ok += 1
        else:
            self.told.refused += 1
        return answer


async def load(
    host: str, port: int, logins: Sequence[tuple[str, str]], cards: Sequence[str], items: Sequence[str], *, kiosks: int, rounds: int
) -> list[Told]:
    """`kiosks` machines at once, each with items of its own: is this patron right, lend, take back; `rounds` times. Bounded, on one host."""
    share = len(items) // kiosks
    if share == 0:
        raise ValueError(f"{kiosks} kiosks need an item each, and there are {len(items)}")
    who = cycle(logins)
    machines = [await Kiosk.connect(host, port, *next(who)) for _ in range(kiosks)]

    async def work(machine: Kiosk, own: Iterator[str], card: Iterator[str]) -> Told:
        begun = clock.now()
        for turn in range(rounds):
            # A second for each turn, so that a machine that is faster than any person is not taken for one that repeats itself.
            machine.now = lambda turn=turn: begun + timedelta(seconds=turn)  # type: ignore[misc]
            item, patron = next(own), next(card)
            await machine.status(patron)
            await machine.borrow(patron, item)
            await machine.give_back(item)
        await machine.close()
        return machine.told

    return list(
        await asyncio.gather(
            *(
                work(
                    machine,
                    cycle(items[place * share : (place + 1) * share]),
                    islice(cycle(cards), place, None),
                )
                for place, machine in enumerate(machines)
            )
        )
    )
