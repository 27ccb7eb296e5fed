"""What the demo drops, and whether the four partners' settings know every file of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors import flow_models
from connectors.ils.settings import IlsDelivery
from include.engine.partner.loading import load_partners
from include.engine.partner.settings import InboxFlow, Partner, spec_for
from include.engine.reasons import reason
from include.sandbox.deliveries import TRANSPORTS, WAYS, Drop, prepare
from include.sandbox.world.libraries import LIBRARIES

PARTNERS = Path(__file__).parents[2] / "include" / "partners"


@pytest.fixture(scope="module")
def partners() -> dict[str, Partner]:
    found = load_partners(PARTNERS, flow_models())
    assert not [mistake for mistake in found.mistakes if mistake.partner in LIBRARIES]
    return found.partners


@pytest.fixture(scope="module")
def drops(tmp_path_factory: pytest.TempPathFactory) -> list[Drop]:
    folder = tmp_path_factory.mktemp("drops")
    return prepare(folder, day=1, loans=1_000) + prepare(folder, day=2, loans=1_000)


def flow_of(partners: dict[str, Partner], library: str) -> InboxFlow:
    flow = partners[library].flows["ils_import"]
    assert isinstance(flow, InboxFlow)
    return flow


def test_every_dropped_file_is_declared_as_what_it_is(drops: list[Drop], partners: dict[str, Partner]) -> None:
    for drop in drops:
        spec = spec_for(flow_of(partners, drop.library), drop.file)
        assert isinstance(spec, IlsDelivery), drop.file
        assert (spec.table, spec.loans) == (drop.answer.table, drop.answer.loans)
        assert spec.mode == drop.answer.mode, drop.file


def test_the_inboxes_are_where_the_drops_go(partners: dict[str, Partner]) -> None:
    scheme = {"local": "file", "sftp": "sftp", "smb": "smb"}
    for library, transport in TRANSPORTS.items():
        flow = flow_of(partners, library)
        assert flow.inbox.partition(":")[0] == scheme[transport]
        assert {"plain": flow.ready.stable_for, "done_file": flow.ready.done_file, "rename": flow.ready.rename_from}[WAYS[library]]


def test_partners_and_libraries_say_the_same_of_themselves(partners: dict[str, Partner]) -> None:
    for library in LIBRARIES.values():
        partner = partners[library.id]
        assert (partner.name, partner.isil, partner.agency) == (library.name, library.isil, library.agency)
        assert (partner.timezone, partner.language) == (library.timezone, library.language)


def test_titles_and_items_come_before_the_loans_that_name_them(drops: list[Drop]) -> None:
    for library in LIBRARIES:
        tables = [drop.answer.table for drop in drops if drop.library == library and drop.answer.day == 1]
        assert tables.index("bibliographic") < tables.index("loan") and tables.index("patron") < tables.index("loan")


def test_every_outcome_has_a_file_and_every_code_its_words(drops: list[Drop]) -> None:
    assert {drop.answer.outcome for drop in drops} == {"published", "duplicate", "blocked", "held"}
    for drop in drops:
        assert drop.path.stat().st_size == drop.answer.bytes
        for code in [*drop.answer.set_aside, *([drop.answer.reason] if drop.answer.reason else [])]:
            assert reason(code).text["da"]
