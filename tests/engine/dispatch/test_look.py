"""Rounds of dispatch over local inboxes and real SFTP servers."""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from include.engine.alerts.standing import unreachable
from include.engine.delivery import State
from include.engine.dispatch import inboxes
from include.engine.ledger import claims, deliveries, inbox
from include.sandbox.servers.sftp import sftp_server

looking = sys.modules["include.engine.dispatch.look"]  # by its name, the function that is called as it hides it
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def named(found) -> list[str]:
    return [one.path for one in found]


def test_the_oldest_file_of_each_table_goes_first_and_one_at_a_time(desk) -> None:
    folder = desk.partner("lindeby")
    for number, name in enumerate(["items_b", "items_a", "loans_a"]):
        (folder / name).write_bytes(b"x")
        os.utime(folder / name, (1_700_000_000 + number, 1_700_000_000 + number))
    assert named(desk.look(NOW)) == ["items_b", "loans_a"]
    assert desk.look(NOW + MINUTE) == []
    states = {one.path: one.state for one in deliveries.find(desk.engine.ledger)}
    assert states == {"items_b": State.CLAIMED, "items_a": State.SEEN, "loans_a": State.CLAIMED}


def test_a_file_is_entered_once_and_again_when_it_changes(desk) -> None:
    folder = desk.partner("lindeby")
    (folder / "items_a").write_bytes(b"x")
    assert len(desk.look(NOW)) == 1
    desk.look(NOW + MINUTE)
    assert len(deliveries.find(desk.engine.ledger)) == 1
    (folder / "items_a").write_bytes(b"xx")
    desk.look(NOW + 2 * MINUTE)
    assert [one.size for one in deliveries.find(desk.engine.ledger)] == [2, 1]


def test_an_inbox_is_looked_into_as_often_as_its_yaml_says(desk) -> None:
    folder = desk.partner("lindeby", every="5 min")
    assert desk.look(NOW) == []
    (folder / "items_a").write_bytes(b"x")
    assert desk.look(NOW + 4 * MINUTE) == []
    assert named(desk.look(NOW + 5 * MINUTE)) == ["items_a"]


def test_an_inbox_that_fails_is_tried_less_and_less_often_and_again_at_once_when_it_is_back(desk, tmp_path: Path) -> None:
    desk.partner("lindeby", inbox="file:inbox/later", every="1 min")
    tried = set()
    for minute in range(64):
        desk.look(NOW + minute * MINUTE)
        [known] = inbox.looks(desk.engine.ledger)
        tried.add((known.tried_at - NOW) // MINUTE)
    assert sorted(tried) == [0, 2, 6, 14, 30, 60]
    assert "INBOX_MISSING" in str(known)
    folder = desk.engine.home / "inbox" / "later"
    folder.mkdir(parents=True)
    (folder / "items_a").write_bytes(b"x")
    assert named(desk.look(NOW + 95 * MINUTE)) == ["items_a"]
    [known] = inbox.looks(desk.engine.ledger)
    assert known.failures == 0


def test_an_inbox_that_hangs_delays_no_other(desk, tmp_path: Path) -> None:
    good, away = desk.partner("good"), tmp_path / "away"
    away.mkdir()
    (good / "items_a").write_bytes(b"x")
    (away / "items_b").write_bytes(b"x")
    with sftp_server(away, faults={"hang_list"}) as hangs, sftp_server(away) as answers:
        desk.environment["AIRFLOW_CONN_HANGS"] = hangs.connection_uri
        desk.environment["AIRFLOW_CONN_ANSWERS"] = answers.connection_uri
        desk.partner("hanging", inbox="sftp://hangs/")
        desk.partner("answering", inbox="sftp://answers/")
        began = time.monotonic()
        found = desk.look(NOW, patience=5)
        assert time.monotonic() - began < 60, "who hangs, hangs for good"
        assert {(one.partner, one.path) for one in found} == {("good", "items_a"), ("answering", "items_b")}
        failures = {one.partner: one.failures for one in inbox.looks(desk.engine.ledger)}
        assert failures == {"good": 0, "answering": 0, "hanging": 1}


def test_a_connection_that_is_not_set_up_is_noted_by_name_and_delays_no_other(desk) -> None:
    folder = desk.partner("good")
    (folder / "items_a").write_bytes(b"x")
    desk.partner("away", inbox="sftp://nobody_set_this_up/")
    assert named(desk.look(NOW)) == ["items_a"]
    [failed] = [one for one in inbox.looks(desk.engine.ledger) if one.failures]
    assert "nobody_set_this_up" in str(failed)


def test_an_inbox_that_no_flow_has_any_more_is_forgotten_with_its_failures(desk) -> None:
    def failing() -> list[tuple[str, str]]:
        return [(one.partner, one.inbox) for one in inbox.looks(desk.engine.ledger) if unreachable(one)]

    for id in ("mended", "idle", "wrong", "away"):
        desk.partner(id, inbox="sftp://nobody_set_this_up/")
    desk.look(NOW)
    assert len(failing()) == 4
    folder = desk.partner("mended")
    (folder / "items_a").write_bytes(b"x")
    desk.partner("idle", inbox="sftp://nobody_set_this_up/", enabled="false")
    desk.partner("wrong", inbox="[no address")  # until it is mended, nobody knows what it says
    (desk.engine.partners_folder / "away.yaml").unlink()
    assert named(desk.look(NOW + MINUTE)) == ["items_a"]
    assert failing() == [("wrong", "sftp://nobody_set_this_up/")]
    assert [one.partner for one in inbox.looks(desk.engine.ledger) if one.looked_at] == ["mended"]


def test_a_file_that_the_partner_still_writes_under_another_name_is_no_delivery(desk) -> None:
    folder = desk.partner("lindeby", ready="{rename_from: .writing, overdue_after: 10 min}")
    (folder / "items_a.writing").write_bytes(b"x")
    assert desk.look(NOW) == []
    assert [one.facts["refused"] for one in desk.look(NOW + 11 * MINUTE)] == ["FILE_STILL_WRITTEN"]
    (folder / "items_a.writing").rename(folder / "items_a")
    assert named(desk.look(NOW + 12 * MINUTE)) == ["items_a"]


def test_a_marker_is_no_stray_file_and_a_stray_file_is_refused_once(desk) -> None:
    folder = desk.partner("lindeby", ready='{done_file: "{name}.ok"}')
    for name in ("items_a", "items_a.ok", "notes.txt"):
        (folder / name).write_bytes(b"x")
    assert named(desk.look(NOW)) == ["items_a"]
    [stray] = desk.look(NOW + MINUTE)
    assert (stray.path, stray.table, stray.facts["refused"], stray.after_block) == (
        "notes.txt",
        "undeclared",
        "FILE_UNDECLARED",
        "continue",
    )
    assert desk.look(NOW + 2 * MINUTE) == []


def test_the_same_stray_file_in_the_inboxes_of_two_flows_is_refused_in_each(desk) -> None:
    folder = desk.partner("lindeby")
    desk.engine.flows["post"] = desk.engine.flows["drop"]
    file = desk.engine.partners_folder / "lindeby.yaml"
    drop = file.read_text().partition("flows:\n")[2]
    file.write_text(file.read_text() + drop.replace("drop:", "post:").replace("inbox/lindeby", "inbox/lists"))
    (desk.engine.home / "inbox" / "lists").mkdir()
    for place in (folder, desk.engine.home / "inbox" / "lists"):
        (place / "readme.txt").write_bytes(b"x")
        os.utime(place / "readme.txt", (1_700_000_000, 1_700_000_000))
    desk.look(NOW)
    desk.look(NOW + MINUTE)
    assert sorted(one.flow for one in deliveries.find(desk.engine.ledger, table="undeclared")) == ["drop", "post"]


def test_an_inbox_whose_files_the_ledger_refuses_delays_no_other(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("items_a", "items_b"):
        (desk.partner("bad") / name).write_bytes(b"x")
    (desk.partner("good") / "items_a").write_bytes(b"x")
    monkeypatch.setattr(inboxes, "delivery_id", lambda partner, *_, **__: f"{partner}__item__20260601T1200__00000000")
    assert [one.partner for one in desk.look(NOW)] == ["good"]
    assert {one.partner: one.failures for one in inbox.looks(desk.engine.ledger)} == {"bad": 1, "good": 0}
    monkeypatch.undo()
    assert [one.partner for one in desk.look(NOW + MINUTE)] == ["bad"]


def test_a_claim_whose_run_never_began_is_started_again_and_one_that_began_is_not(desk) -> None:
    folder = desk.partner("lindeby")
    (folder / "items_a").write_bytes(b"x")
    [claimed] = desk.look(NOW)
    assert desk.look(NOW + 4 * MINUTE) == []
    assert [one.id for one in desk.look(NOW + 6 * MINUTE)] == [claimed.id]
    claims.take(desk.engine.ledger, claimed.id, "receive")
    assert desk.look(NOW + 20 * MINUTE) == []


def test_deliveries_of_a_flow_that_is_switched_off_stay_where_they_are(desk) -> None:
    folder = desk.partner("lindeby")
    for name in ("items_a", "items_b"):
        (folder / name).write_bytes(b"x")
    [first] = desk.look(NOW)
    token = claims.take(desk.engine.ledger, first.id, "receive")
    claims.advance(desk.engine.ledger, token, State.FAILED)
    claims.dismiss(desk.engine.ledger, first.id, "a person")
    desk.partner("lindeby", enabled="false")
    assert desk.look(NOW + MINUTE) == []
    desk.partner("lindeby")
    assert len(desk.look(NOW + 2 * MINUTE)) == 1


def test_what_has_to_wait_takes_no_place_of_what_could_start(desk, monkeypatch: pytest.MonkeyPatch) -> None:
    for partner in ("bi", "lindeby"):
        folder = desk.partner(partner)
        (folder / "items_a").write_bytes(b"x")
        os.utime(folder / "items_a", (1_700_000_000, 1_700_000_000))
    monkeypatch.setattr(looking, "claim_next", lambda *_: [])
    desk.look(NOW)
    monkeypatch.undo()
    monkeypatch.setattr(looking, "MOST", 1)
    desk.partner("bi", enabled="false")
    assert [one.partner for one in desk.look(NOW + MINUTE)] == ["lindeby"]
