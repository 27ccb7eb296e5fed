"""The profiles that come with the sidecar: each loads, says what it rests on, and does that."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.profile import FOLDER, Profile, load
from connectors.circulation.sip2.codec import Parsed, parse
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import Raw, running

NOW = "20261120    130000"
NAMES = sorted(file.stem for file in FOLDER.glob("*.yaml"))
RETURN = f"09N{NOW}{NOW}APmain|AOlindeby|ABb1|AC|"
FEES = f"63001{NOW}   Y      AOlindeby|AAc1|AC|"


def _ask(library: Embedded, clock: Clock, name: str, line: str) -> Parsed:
    with running(library, now=clock, profile=load(name)) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        return parse(kiosk.ask(line))


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_says_whose_it_is_and_what_it_rests_on(name: str) -> None:
    profile = load(name)
    assert profile.title and profile.source
    assert name == "standard" or (profile.source.startswith("https://") and profile != Profile(title=profile.title, source=profile.source))


@pytest.mark.parametrize("name", NAMES)
def test_a_profile_is_in_the_docs(name: str) -> None:
    assert f"`{name}`" in (Path(__file__).parents[3] / "docs/flows/circulation.md").read_text()


def test_3m_gets_a_fee_as_number_amount_kind_and_title(library: Embedded, clock: Clock) -> None:
    library.store.fill("fee", [{"fee": "f1", "patron": "p1", "kind": "overdue", "outstanding": 1250, "title": "One book"}])
    assert _ask(library, clock, "3m", FEES).fields["AV"] == 'f1 $12.50 "overdue" One book'


def test_bibliotheca_is_told_whom_to_call_when_a_returned_item_is_waited_for(library: Embedded, clock: Clock) -> None:
    library.store.fill("patron", [{"patron": "p4", "name": "Reader Four", "category": "adult", "phone": "5550100"}])
    library.store.fill("hold", [{"hold": "h1", "patron": "p4", "title_id": "t1", "placed": 1}])
    answer = _ask(library, clock, "bibliotheca-phone", RETURN)
    assert (answer.fields["CY"], answer.fields["DA"], answer.fields["BF"]) == ("p4", "Reader Four", "5550100")


def test_nobody_s_phone_number_is_told_where_the_profile_does_not_say_so(library: Embedded, clock: Clock) -> None:
    library.store.fill("patron", [{"patron": "p4", "name": "Reader Four", "category": "adult", "phone": "5550100"}])
    library.store.fill("hold", [{"hold": "h1", "patron": "p4", "title_id": "t1", "placed": 1}])
    answer = _ask(library, clock, "standard", RETURN)
    assert answer.fields["DA"] == "Reader Four" and "BF" not in answer.fields


@pytest.mark.parametrize("held", [{"phone": ""}, None], ids=["no number is known", "nobody waits"])
def test_without_a_number_bf_is_not_sent(library: Embedded, clock: Clock, held: dict[str, str] | None) -> None:
    if held is not None:
        library.store.fill("patron", [{"patron": "p4", "name": "Reader Four", "category": "adult", **held}])
        library.store.fill("hold", [{"hold": "h1", "patron": "p4", "title_id": "t1", "placed": 1}])
    assert "BF" not in _ask(library, clock, "bibliotheca-phone", RETURN).fields
