"""What people decide about records that were set aside: replay, mend, discard, report, reveal; each once, each audited."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from connectors import writings
from include.engine.delivery import Delivery, State
from include.engine.errors import Refused, WrongState
from include.engine.ledger import audit, deliveries, quarantined
from include.engine.ledger.quarantined import Fate, Quarantined
from include.engine.quarantine import decide
from include.engine.quarantine import mend as mending
from include.engine.quarantine.decide import discard, note_of, replay_one, replay_reason, reveal
from include.engine.quarantine.look import head, look
from include.engine.quarantine.mend import mend, mendable
from include.engine.receipts.report import report
from include.records.edit import file_of, text_of
from include.records.masks import Masks
from include.records.show import show
from tests.flows.conftest import Make, yaml
from tests.flows.files import ITEMS, csv
from tests.house import House

GOOD = ["1,11,3000000000001,MAIN,BK,2026-01-02,100", "2,12,3000000000002,MAIN,BK,2026-01-02,100"]
BAD = ["3,13,3000000000003,MAIN,BK,2026-13-02,100", "4,14,3000000000004,MAIN,BK,2026-02-31,100", "5,15,3000000000005,MAIN,BK"]


def delivered(house: House) -> Delivery:
    return house.deliver("items_1.csv", csv(ITEMS, GOOD + BAD))


def aside(house: House, delivery: Delivery, reason: str | None = None) -> list[Quarantined]:
    return quarantined.find(house.engine.ledger, delivery_id=delivery.id, reason=reason)


def landed(house: House) -> list[Path]:
    return sorted(one for one in (house.engine.home / "landing").rglob("*") if one.is_file())


def actions(house: House) -> list[tuple[str, str]]:
    return [(one.who, one.action) for one in audit.find(house.engine.ledger)]


def test_a_record_is_looked_at_with_its_bytes_and_the_names_of_its_columns(library: House) -> None:
    delivery = delivered(library)
    row = aside(library, delivery, "DATE_UNREADABLE")[0]
    looked = look(library.engine, row.id)
    assert (looked.raw, looked.whole, looked.row.partner, looked.row.flow) == (f"{BAD[0]}\n".encode(), True, "havnsund", "ils_import")
    bounded = look(library.engine, row.id, most=5)
    assert (bounded.raw, bounded.whole, bounded.size) == (b"3,13,", False, len(BAD[0]) + 1)
    writing = writings()["ils_import"](library.engine, delivery)
    found = show(looked.raw or b"", Masks(writing), head=head(library.engine, delivery, row.member), column=row.column)
    assert [(line.name, line.parts[0].value, line.blamed) for line in found.lines][4:6] == [
        ("itype", "BK", False),
        ("dateaccessioned", "2026-13-02", True),
    ]


def test_bytes_that_are_gone_are_told_and_not_raised(library: House) -> None:
    delivery = delivered(library)
    row = aside(library, delivery)[0]
    for key in library.engine.keys.find("delivery", delivery.id):
        library.engine.keys.destroy(key, why="retention")
    looked = look(library.engine, row.id)
    assert (looked.raw, looked.gone) == (None, "KEY_DESTROYED")
    assert head(library.engine, delivery, row.member) is None


def test_a_mended_record_is_a_delivery_of_its_own_and_the_original_stays(library: House) -> None:
    delivery = delivered(library)
    row, other, _ = aside(library, delivery)
    writing = writings()["ils_import"](library.engine, delivery)
    raw = look(library.engine, row.id).raw or b""
    text = (text_of(raw, writing) or "").replace("2026-13-02", "2026-12-02")
    content = file_of(text, writing, like=raw, head=head(library.engine, delivery, row.member))
    first, second = (mend(library.engine, row.id, content, who="ida") for _ in range(2))
    assert first.id == second.id
    done = library.run(library.claimed()[0].id)
    assert (done.id, done.state, done.origin, done.counts.published) == (first.id, State.ACKNOWLEDGED, delivery.id, 1)
    assert {one["item_id"] for one in library.rows("item")} == {"1", "2", "3"}
    assert [one.state for one in aside(library, delivery)] == [Fate.REPLAYED, Fate.OPEN, Fate.OPEN]
    assert look(library.engine, row.id).raw == raw
    assert ("ida", "mend") in actions(library)
    with pytest.raises(WrongState, match="RECORD_DECIDED"):
        mend(library.engine, row.id, content, who="ida")
    assert look(library.engine, other.id).row.state == Fate.OPEN


def test_a_record_mended_wrongly_is_set_aside_again_and_the_first_one_stays_open(library: House) -> None:
    delivery = delivered(library)
    row = aside(library, delivery)[0]
    mend(library.engine, row.id, csv(ITEMS, [BAD[1]]), who="ida")
    again = library.run(library.claimed()[0].id)
    assert again.counts.quarantined == 1
    assert aside(library, delivery)[0].state == Fate.OPEN
    assert mendable(library.engine, again)


def test_a_record_of_a_delivery_that_was_not_taken_in_cannot_be_mended(library: House) -> None:
    blocked = library.deliver(
        "items_2.csv", csv(ITEMS, [(BAD + GOOD)[n % 5].replace(f"{(3, 4, 5, 1, 2)[n % 5]},", f"{n},", 1) for n in range(60)])
    )
    assert blocked.state == State.BLOCKED
    with pytest.raises(WrongState, match="MEND_REFUSED"):
        mend(library.engine, aside(library, blocked)[0].id, b"x", who="ida")
    assert not mendable(library.engine, blocked)


def test_erasing_what_the_original_held_takes_the_mended_bytes_along(library: House) -> None:
    delivery = delivered(library)
    row = aside(library, delivery)[0]
    made = mend(library.engine, row.id, csv(ITEMS, [GOOD[0]]), who="ida")
    for key in library.engine.keys.find("delivery", delivery.id):
        library.engine.keys.destroy(key, why="erasure")
    assert library.run(library.claimed()[0].id).id == made.id
    assert library.get(made.id).state == State.FAILED


def test_one_record_is_replayed_once_however_often_it_is_asked_for(library: House) -> None:
    delivery = delivered(library)
    row = aside(library, delivery, "ROW_RAGGED")[0]
    made = {replay_one(library.engine, row.id, who="ida").id for _ in range(2)}
    assert len(made) == 1
    assert len(deliveries.find(library.engine.ledger, origin=delivery.id)) == 1
    assert actions(library).count(("ida", "replay")) == 1


@pytest.mark.parametrize("again", [replay_one, replay_reason])
def test_what_was_decided_while_the_page_was_looked_at_is_not_replayed(
    library: House, monkeypatch: pytest.MonkeyPatch, again: Callable[..., Delivery]
) -> None:
    row = aside(library, delivered(library), "ROW_RAGGED")[0]
    plain = decide.replay

    def meanwhile(*args: Any, **more: Any) -> Delivery:  # between its look at the record and its own transaction
        discard(library.engine, row.id, who="bo", note="never ours")
        return plain(*args, **more)

    monkeypatch.setattr(decide, "replay", meanwhile)
    with pytest.raises(WrongState, match="RECORD_DECIDED"):
        again(library.engine, row.id, who="ida")
    assert deliveries.find(library.engine.ledger, origin=row.delivery_id) == []


def test_all_of_a_reason_are_replayed_but_for_those_that_a_person_left_out(library: House) -> None:
    delivery = delivered(library)
    one, other = aside(library, delivery, "DATE_UNREADABLE")
    discard(library.engine, other.id, who="ida", note="a test item")
    made = replay_reason(library.engine, one.id, who="ida")
    done = library.run(library.claimed()[0].id)
    assert (done.id, done.counts.in_, done.counts.quarantined) == (made.id, 1, 1)
    with pytest.raises(WrongState, match="RECORD_DECIDED"):
        replay_one(library.engine, other.id, who="ida")


def test_a_discarded_record_keeps_who_said_so_and_a_second_click_changes_nothing(library: House) -> None:
    delivery = delivered(library)
    row = aside(library, delivery)[0]
    discard(library.engine, row.id, who="ida", note=" never  ours,  see 010190-1234 ")
    found = discard(library.engine, row.id, who="bo", note="again")
    assert (found.state, found.note) == (Fate.DISCARDED, "ida: never ours, see ••••••-••••")
    assert [action for _, action in actions(library)].count("discard") == 1
    with pytest.raises(WrongState, match="NOTE_MISSING"):
        note_of("  ")


def test_a_record_on_its_way_again_is_not_discarded_meanwhile(library: House) -> None:
    delivery = delivered(library)
    one, other, ragged = aside(library, delivery)
    replay_reason(library.engine, one.id, who="ida")
    mend(library.engine, ragged.id, csv(ITEMS, ["5,15,3000000000005,MAIN,BK,2026-01-02,100"]), who="ida")
    for row in (one, other, ragged):
        with pytest.raises(WrongState, match="RECORD_UNDER_WAY"):
            discard(library.engine, row.id, who="ida", note="never")
    while claimed := library.claimed():
        library.run(claimed[0].id)
    assert discard(library.engine, other.id, who="ida", note="never").state == Fate.DISCARDED
    assert aside(library, delivery)[2].state == Fate.REPLAYED


def test_a_record_left_out_while_somebody_mends_it_stays_left_out(library: House, monkeypatch: pytest.MonkeyPatch) -> None:
    delivery = delivered(library)
    row = aside(library, delivery)[0]
    landing, kept = mending.land_bytes, landed(library)

    def meanwhile(*args, **kwargs):
        discard(library.engine, row.id, who="bo", note="never")
        return landing(*args, **kwargs)

    monkeypatch.setattr(mending, "land_bytes", meanwhile)
    with pytest.raises(WrongState, match="RECORD_DECIDED"):
        mend(library.engine, row.id, csv(ITEMS, [GOOD[0]]), who="ida")
    assert deliveries.find(library.engine.ledger, origin=delivery.id) == []
    assert aside(library, delivery)[0].state == Fate.DISCARDED
    assert landed(library) == kept != [], "the bytes that were not needed are gone"


def test_a_record_of_a_partner_whose_settings_have_a_mistake_can_be_looked_at_and_not_mended(library: House) -> None:
    delivery = delivered(library)
    (library.engine.partners_folder / f"{delivery.partner}.yaml").write_text("name: [")
    assert look(library.engine, aside(library, delivery)[0].id).whole
    assert not mendable(library.engine, delivery)


def test_a_look_at_what_is_masked_is_audited_with_its_reason(library: House) -> None:
    delivery = delivered(library)
    row = aside(library, delivery)[0]
    reveal(library.engine, row.id, who="ida", why="the library asked")
    [entry] = audit.find(library.engine.ledger, action="reveal")
    assert (entry.who, entry.subject, entry.detail) == ("ida", delivery.id, {"quarantined": row.id, "why": "the library asked"})
    with pytest.raises(WrongState, match="NOTE_MISSING"):
        reveal(library.engine, row.id, who="ida", why="")


def test_a_report_tells_of_one_reason_and_goes_once_into_the_partners_folder(library: House) -> None:
    delivery = delivered(library)
    row = aside(library, delivery, "ROW_RAGGED")[0]
    went = report(library.engine, row.id, who="ida", words="Kære bibliotek, se linjen.")
    assert went == report(library.engine, row.id, who="bo")
    [file] = (library.inbox / "receipts").glob("*.report-ROW_RAGGED.txt")
    text = file.read_text(encoding="utf-8")
    assert text.startswith("Kære bibliotek, se linjen.")
    assert "ROW_RAGGED" in text
    assert "DATE_UNREADABLE" not in text
    [entry] = audit.find(library.engine.ledger, action="report")
    assert (entry.who, entry.detail["reason"]) == ("ida", "ROW_RAGGED")


def test_a_report_with_nowhere_to_go_says_so(at: Make) -> None:
    house = at(after="leave")
    house.write(yaml(after="leave"))
    delivery = delivered(house)
    with pytest.raises(Refused, match="REPORT_NOWHERE"):
        report(house.engine, aside(house, delivery)[0].id, who="ida")


def test_a_json_record_is_mended_as_one_line() -> None:
    from include.engine.quarantine.writing import Writing

    writing = Writing(form="json", anyone=True)
    assert json.loads(file_of('{"a":\n 1}', writing, like=b"{}", head=None)) == {"a": 1}
    with pytest.raises(Refused, match="JSON_UNREADABLE"):
        file_of("{", writing, like=b"{}", head=None)
