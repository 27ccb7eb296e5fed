"""Deliveries again: taken back, replayed whole or in part, approved or turned down; and a contract's next version."""

from __future__ import annotations

import shutil
from dataclasses import replace

import pytest

from include.engine.contract import loading
from include.engine.delivery import Delivery, State
from include.engine.engine import ROOT
from include.engine.errors import KeyDestroyed, SettingsError, WrongState
from include.engine.inbound.gate import gate
from include.engine.inbound.publish import publish
from include.engine.inbound.receive import receive
from include.engine.ledger import audit, quarantined
from include.engine.ledger.quarantined import Fate
from include.engine.replay import answer, replay
from include.engine.retract import retract
from tests.flows.conftest import Make, yaml
from tests.flows.files import GOOD, ITEMS, csv, item, items
from tests.house import House

WHO = "drift@havnsund.example"


def again(library: House, origin: Delivery, **asked: object) -> Delivery:
    new = replay(library.engine, origin.id, who=WHO, **asked)  # type: ignore[arg-type]
    [claimed] = library.claimed()
    assert claimed.id == new.id
    return library.run(new.id)


def test_a_published_delivery_is_taken_out_again_and_its_bytes_may_come_again(library: House) -> None:
    library.deliver("items_1.csv", GOOD)
    second = library.deliver("items_2.csv", csv(ITEMS, [item(1, price="5.00"), item(8)]))
    said = retract(library.engine, second.id, who=WHO)
    assert "item: 1 removed, 1 restored, 0 kept" in str(said)
    assert [str(row["price"]) for row in library.rows("item")] == ["199.00"] * 5
    assert library.get(second.id).state == State.RETRACTED
    assert [one.action for one in audit.find(library.engine.ledger, subject=second.id)] == ["retract"]
    with pytest.raises(WrongState, match="retracted"):
        retract(library.engine, second.id, who=WHO)
    assert library.deliver("items_3.csv", csv(ITEMS, [item(1, price="5.00"), item(8)])).counts.added == 1


def test_what_a_later_delivery_changed_stays_as_that_left_it(library: House) -> None:
    first = library.deliver("items_1.csv", GOOD)
    library.deliver("items_2.csv", csv(ITEMS, [item(1, price="5.00")]))
    said = retract(library.engine, first.id, who=WHO).tables["item"]
    assert (said.removed, said.kept) == (4, 1)
    assert [(row["item_id"], str(row["price"])) for row in library.rows("item")] == [("1", "5.00")]


def test_only_a_published_delivery_can_be_taken_out(at: Make) -> None:
    library = at(status="test")
    with pytest.raises(WrongState):
        retract(library.engine, library.deliver("items_1.csv", GOOD).id, who=WHO)


STRANGE = [f"{number},t{number},B{number},MAIN,BK,{day},9.00" for number, day in ((11, "01/02/2020"), (12, "03/02/2020"))]


def test_records_of_one_reason_are_read_again_once_the_profile_is_mended(library: House) -> None:
    torn = "13,torn"
    first = library.deliver("items_1.csv", csv(ITEMS, [*items(1, 4), *STRANGE, torn]))
    assert (first.counts.published, first.counts.quarantined) == (4, 3)
    library.write(yaml(overrides="{tables: {item: {dates: [YYYY-MM-DD, DD/MM/YYYY]}}}"))
    done = again(library, first, reason="DATE_UNREADABLE")
    assert (done.state, done.counts.in_, done.counts.published, done.origin) == (State.ACKNOWLEDGED, 2, 2, first.id)
    assert {row["item_id"] for row in library.rows("item")} == {"1", "2", "3", "4", "11", "12"}
    fates = {one.record: (one.state, one.note) for one in quarantined.find(library.engine.ledger, delivery_id=first.id)}
    assert fates == {5: (Fate.REPLAYED, done.id), 6: (Fate.REPLAYED, done.id), 7: (Fate.OPEN, None)}
    assert f"Levering {done.id}" in library.receipt(done)


def test_one_record_and_the_whole_are_read_again(library: House) -> None:
    first = library.deliver("items_1.csv", csv(ITEMS, [*items(1, 4), *STRANGE]))
    still = again(library, first, record=5)
    assert (still.counts.in_, still.counts.published, still.counts.quarantined) == (1, 0, 1), "nothing was mended: it is set aside again"
    assert {one.state for one in quarantined.find(library.engine.ledger, delivery_id=first.id)} == {Fate.OPEN}
    library.write(yaml(overrides="{tables: {item: {dates: [YYYY-MM-DD, DD/MM/YYYY]}}}"))
    one = again(library, first, record=5)
    assert (one.counts.in_, one.counts.published) == (1, 1)
    whole = again(library, first)
    assert (whole.counts.in_, whole.counts.published, whole.counts.unchanged, whole.counts.added) == (6, 6, 5, 1)


def test_part_of_a_full_export_deletes_nothing(at: Make) -> None:
    library = at(mode="full")
    first = library.deliver("items_1.csv", csv(ITEMS, [*items(1, 4), STRANGE[0]]))
    library.write(yaml(mode="full", overrides="{tables: {item: {dates: [YYYY-MM-DD, DD/MM/YYYY]}}}"))
    done = again(library, first, record=5)
    assert (done.mode, done.counts.added, done.counts.deleted) == ("delta", 1, 0)
    assert len(library.rows("item")) == 5


def test_a_replay_that_cannot_be_says_why(library: House) -> None:
    done = library.deliver("items_1.csv", GOOD)
    with pytest.raises(WrongState, match="no record of this delivery was set aside for DATE_UNREADABLE"):
        replay(library.engine, done.id, reason="DATE_UNREADABLE", who=WHO)
    library.drop("notes.txt", b"x")
    stray = library.taken(later=31)
    with pytest.raises(WrongState, match="nothing of this delivery was kept"):
        replay(library.engine, stray.id, who=WHO)
    library.drop("items_2.csv", csv(ITEMS, items(20, 1)))
    [seen] = library.claimed()
    with pytest.raises(WrongState):
        replay(library.engine, seen.id, who=WHO)
    for key in library.engine.keys.find("delivery", done.id):
        library.engine.keys.destroy(key, why="retention")
    with pytest.raises(KeyDestroyed):
        replay(library.engine, done.id, who=WHO)


@pytest.fixture
def held(at: Make) -> tuple[House, Delivery]:
    """A full export that lacks most of what was delivered before."""
    library = at(mode="full", after_block="wait")
    library.deliver("items_1.csv", csv(ITEMS, items(1, 20)))
    done = library.deliver("items_2.csv", csv(ITEMS, items(1, 5)))
    assert (done.state, done.reason) == (State.HELD, "MASS_DELETION")
    assert "udtrækket mangler 15 poster, som er leveret tidligere, mere end 20%" in library.receipt(done)
    return library, done


def test_a_held_delivery_that_is_approved_goes_through_with_its_brakes_off(held: tuple[House, Delivery]) -> None:
    library, waiting = held
    new = answer(library.engine, waiting.id, yes=True, who=WHO)
    [claimed] = library.claimed()
    assert claimed.id == new.id
    done = library.run(new.id)
    assert (done.state, done.counts.deleted, done.origin) == (State.ACKNOWLEDGED, 15, waiting.id)
    assert len(library.rows("item")) == 5
    assert (library.inbox / "archive").exists()
    with pytest.raises(WrongState):
        answer(library.engine, done.id, yes=True, who=WHO)


def test_a_held_delivery_that_is_turned_down_stays_out(held: tuple[House, Delivery]) -> None:
    library, waiting = held
    turned_down = answer(library.engine, waiting.id, yes=False, who=WHO)
    assert (turned_down.state, turned_down.dismissed_by) == (State.HELD, WHO)
    assert [one.action for one in audit.find(library.engine.ledger, subject=waiting.id)] == ["dismiss"]
    assert library.claimed() == []
    done = library.deliver("items_3.csv", csv(ITEMS, items(1, 21)))
    assert (done.counts.added, done.counts.unchanged) == (1, 20)


def test_a_held_delivery_that_was_overtaken_is_not_approved_over_newer_data(held: tuple[House, Delivery]) -> None:
    library, waiting = held
    library.deliver("items_3.csv", csv(ITEMS, items(1, 21)))
    with pytest.raises(WrongState, match="came later and is published"):
        answer(library.engine, waiting.id, yes=True, who=WHO)


def with_contract(library: House, change: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The house with a changed copy of the item's lake contract."""
    folder = library.engine.home / "contracts"
    shutil.copytree(ROOT / "data_contracts", folder, dirs_exist_ok=True)
    file = folder / "item.odcs.yaml"
    text = file.read_text()
    assert change[0] in text
    file.write_text(text.replace("version: 1.0.0", "version: 1.1.0", 1).replace(*change, 1))
    library.engine = replace(library.engine, contracts_folder=folder)
    monkeypatch.setattr(loading.load, "__defaults__", (folder,))  # where the connector looks


COLUMN = "      - name: barcode\n"


def test_a_contracts_next_version_migrates_its_table(library: House, monkeypatch: pytest.MonkeyPatch) -> None:
    library.deliver("items_1.csv", GOOD)
    added = f"      - name: shelf_mark\n        logicalType: string\n        description: The mark on the shelf.\n        examples: [A]\n{COLUMN}"
    with_contract(library, (COLUMN, added), monkeypatch)
    done = library.deliver("items_2.csv", csv(ITEMS, [item(1, price="7.00"), item(9)]))
    assert (done.state, done.counts.changed, done.counts.added) == (State.ACKNOWLEDGED, 1, 1)
    assert done.contract["item"] == "1.1.0"
    assert all(row["shelf_mark"] is None for row in library.rows("item"))


def test_a_contract_that_its_table_cannot_follow_says_why_and_nothing_is_published(library: House, monkeypatch: pytest.MonkeyPatch) -> None:
    library.deliver("items_1.csv", GOOD)
    with_contract(
        library,
        ("      - name: department\n        logicalType: string\n", "      - name: department\n        logicalType: date\n"),
        monkeypatch,
    )
    library.drop("items_2.csv", csv(ITEMS, [item(1), item(9)]))
    [claimed] = library.claimed()
    with pytest.raises(SettingsError, match="department") as told:
        for step in (receive, gate, publish):
            step(library.engine, claimed.id, library.connector)
    assert told.value.code == "CONTRACT_MIGRATION"
    assert len(library.rows("item")) == 5
