"""kill -9 in the midst of telling the library system: nothing is lost and nothing is told twice."""

from __future__ import annotations

import asyncio
import os
import random
import secrets
import signal
import subprocess
import sys
import time
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from msgspec.structs import replace

from connectors.circulation.domain import Checkin, Checkout, Credentials, Pay
from connectors.circulation.embedded.rules import Rules
from connectors.circulation.forwarding import Policy, opened
from connectors.circulation.forwarding.copy import Copy
from connectors.circulation.forwarding.resume import resumed
from include.engine import clock
from include.engine.engine import ROOT
from include.sandbox.servers import folio, koha
from include.sandbox.servers.asgi import serving
from include.sandbox.servers.ils import Faults, Library
from include.sandbox.servers.ils.state import Copy as Book
from include.sandbox.servers.ils.state import Debt
from tests.connectors.circulation.forwarding.telling import OneKey, remote_of
from tests.connectors.circulation.remote.library import small_library

SEEDS = int(os.environ.get("BINDERY_SEEDS", "0"))
"""0: a short version for the suite, with fewer lives."""
BOOKS = 12


def _library() -> Library:
    library = small_library(clock.now)
    library.rules.loans, library.rules.owes = 99, Decimal(10_000)
    for number in range(BOOKS):
        book = Book(100 + number, f"k{number}", 100 + number, f"Book {number}")
        library.copies[book.barcode] = book
    library.debts[9] = Debt(9, library.patrons[1], Decimal(500), Decimal(500))
    return library


async def _an_hour_alone(system: str, folder: Path, secret: str) -> None:
    """Loans of every book by one, returns of every third, loans of those by another, and two payments; nobody listens at port 1."""
    policy = Policy.model_validate({"services": ["checkout", "checkin", "fee"], "loans": 99, "breaker": {"failures": 1}})
    forwarding = opened(folder, OneKey(secret), remote_of(system, 1), Copy(Rules()), policy)
    at = clock.now() - timedelta(hours=1)
    lend = [Checkout("k1", at, "main", f"lend{n}", patron=Credentials("c1"), item=f"k{n}") for n in range(BOOKS)]
    back = [Checkin("k1", at, "main", f"back{n}", item=f"k{n}") for n in range(0, BOOKS, 3)]
    again = [replace(lend[n], patron=Credentials("c2"), key=f"again{n}") for n in range(0, BOOKS, 3)]
    pay = [Pay("k1", at, "main", f"pay{n}", patron=Credentials("c1"), amount=Decimal(10 + n)) for n in range(2)]
    for request in (*lend, pay[0], *back, *again, pay[1]):
        assert (await forwarding.perform(request)).ok
    await forwarding.close()


@pytest.mark.crash
@pytest.mark.parametrize("system", ["koha", "folio"])
@pytest.mark.parametrize("seed", range(max(SEEDS, 1)))
def test_killed_while_it_tells_the_next_life_goes_on_where_it_was(system: str, seed: int, tmp_path: Path) -> None:
    chance, secret, library, faults = random.Random(seed), secrets.token_hex(32), _library(), Faults()
    asyncio.run(_an_hour_alone(system, tmp_path, secret))
    app = koha.Koha(library, checkins=True, faults=faults) if system == "koha" else folio.Folio(library, faults=faults)
    with serving(app.application()) as port:
        lives = ["sent:1", "sending:2", f"sent:{chance.randint(1, 4)}", "time", "time", ""] if SEEDS else ["sent:2", "time", ""]
        for life in lives:
            die = {"BINDERY_DIE_AT": f"forwarding.{life}"} if ":" in life else {}
            faults.set("change_error", chance.randint(0, 1))
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.connectors.circulation.forwarding.telling", system, str(tmp_path), secret, str(port)],
                cwd=ROOT, env={**os.environ, **die}, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
            if life == "time":
                seen = len(faults.asked) + chance.randint(1, 20)
                while len(faults.asked) < seen and process.poll() is None:
                    time.sleep(0.0005)
                process.send_signal(signal.SIGKILL)
            said = process.communicate(timeout=60)[1]
            assert process.returncode in ((0,) if not life else (0, -signal.SIGKILL)), said
    back = [f"k{n}" for n in range(0, BOOKS, 3)]
    assert library.lent == [("c1", f"k{n}") for n in range(BOOKS)] + [("c2", item) for item in back]
    assert [(loan.copy.barcode, loan.patron.card) for loan in library.history] == [(item, "c1") for item in back]
    assert [payment.amount for payment in library.payments] == [Decimal(10), Decimal(11)]
    assert resumed(tmp_path, OneKey(secret)).waiting == {}
