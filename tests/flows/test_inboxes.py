"""Inboxes as partners have them: read-only, left or emptied, on SFTP, in status `test`; and settings that are wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from include.engine.delivery import State
from include.engine.errors import MissingCredential
from include.engine.inbound.receive import receive
from include.engine.ledger import notices
from include.sandbox.servers.sftp import sftp_server
from tests.flows.conftest import Make, yaml
from tests.flows.files import GOOD
from tests.house import House


@pytest.mark.parametrize("receipts", ["file:nowhere", "sftp://havnsund_outbox/"])
def test_a_folder_that_takes_no_receipt_keeps_nothing_waiting(at: Make, tmp_path: Path, receipts: str) -> None:
    (tmp_path / "full").mkdir()
    with sftp_server(tmp_path / "full", faults={"disk_full"}) as server:
        library = at({"AIRFLOW_CONN_HAVNSUND_OUTBOX": server.connection_uri}, flow=f"    receipts: {receipts}")
        done = library.deliver("items_1.csv", GOOD)
    assert done.state == State.ACKNOWLEDGED
    assert "5 modtaget" in library.receipt(done)


@pytest.mark.parametrize(("after", "left"), [("archive", ["archive", "receipts"]), ("leave", ["items_1.csv"]), ("delete", ["receipts"])])
def test_the_source_is_archived_left_or_deleted_as_the_yaml_says(at: Make, after: str, left: list[str]) -> None:
    library = at(after=after)
    done = library.deliver("items_1.csv", GOOD)
    assert done.state == State.ACKNOWLEDGED
    assert sorted(path.name for path in library.inbox.iterdir()) == left
    assert library.claimed(later=60) == [], "it is not taken in again"


def test_receipts_go_where_the_yaml_says_also_for_an_inbox_that_is_left_alone(at: Make) -> None:
    library = at(after="leave", flow="    receipts: file:outbox/havnsund")
    (library.engine.home / "outbox" / "havnsund").mkdir(parents=True)
    done = library.deliver("items_1.csv", GOOD)
    [told] = (library.engine.home / "outbox" / "havnsund").glob("*.txt")
    assert told.read_text() == library.receipt(done)


def test_a_read_only_sftp_server_is_delivered_from_and_nothing_is_taken_twice(at: Make, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "items_1.csv").write_bytes(GOOD)
    with sftp_server(folder, faults={"read_only"}) as server:
        library = at({"AIRFLOW_CONN_HAVNSUND_INBOX": server.connection_uri}, inbox="sftp://havnsund_inbox/", after="archive")
        done = library.taken()
        assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 5)
        assert library.claimed(later=60) == []
    assert [path.name for path in folder.iterdir()] == ["items_1.csv"]
    assert "5 modtaget" in library.receipt(done), "our own copy is there"


def test_an_sftp_server_gets_its_receipt_and_keeps_the_file_in_its_archive(at: Make, tmp_path: Path) -> None:
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "items_1.csv").write_bytes(GOOD)
    with sftp_server(folder) as server:
        library = at({"AIRFLOW_CONN_HAVNSUND_INBOX": server.connection_uri}, inbox="sftp://havnsund_inbox/")
        done = library.taken()
    assert done.state == State.ACKNOWLEDGED
    assert next(folder.glob("archive/*/*/*_items_1.csv")).read_bytes() == GOOD
    assert next(folder.glob("receipts/items_1.csv.*.txt")).read_text() == library.receipt(done)


def test_a_partner_in_test_is_told_what_would_have_been_and_nothing_is_published(at: Make) -> None:
    library = at(status="test", language="sv")
    done = library.deliver("items_1.csv", GOOD)
    assert (done.state, done.status) == (State.ACKNOWLEDGED, "test")
    receipt = library.receipt(done)
    assert "Ni är i test: inget har publicerats eller skickats." in receipt
    assert "exemplar: 5 nya, 0 ändrade, 0 borttagna, 0 som förut" in receipt
    assert library.rows("item") == []
    library.write(yaml(language="sv"))
    live = library.deliver("items_1.csv", GOOD)
    assert (live.state, live.counts.added) == (State.ACKNOWLEDGED, 5), "what was only tried is no duplicate"


def test_a_missing_secret_names_the_connection_and_the_file_waits_for_it(at: Make, tmp_path: Path) -> None:
    library = at(inbox="sftp://havnsund_inbox/")
    assert library.claimed() == []
    library.write(yaml())
    library.drop("items_1.csv", GOOD)
    [claimed] = library.claimed()
    library.engine = library.engine.__class__(
        library.engine.home,
        library.engine.ledger,
        library.engine.credentials.__class__({}),
        library.engine.flows,
        library.engine.partners_folder,
    )
    with pytest.raises(MissingCredential, match="connection bindery_master is not set up"):
        receive(library.engine, claimed.id, library.connector)
    noted = library.get(claimed.id)
    assert (noted.state, noted.reason) == (State.CLAIMED, "CREDENTIAL_MISSING")
    assert "bindery_master" in (noted.message or "")


def test_an_error_in_a_partners_yaml_stops_that_partner_alone_and_is_shown(library: House) -> None:
    bad = library.engine.partners_folder / "lindeby.yaml"
    bad.write_text(yaml(inbox="file:inbox/lindeby").replace("timezone:", "timezome:"))
    other = library.engine.home / "inbox" / "lindeby"
    other.mkdir(parents=True)
    (other / "items_1.csv").write_bytes(GOOD)
    done = library.deliver("items_1.csv", GOOD)
    assert (done.state, done.partner) == (State.ACKNOWLEDGED, "havnsund")
    shown = notices.find(library.engine.ledger)
    assert {(one.partner, one.file) for one in shown} == {("lindeby", "lindeby.yaml")}
    assert any(one.line == 3 and "did you mean 'timezone'?" in one.message for one in shown)
    bad.write_text(yaml(inbox="file:inbox/lindeby"))
    [claimed] = library.claimed()
    assert claimed.partner == "lindeby"
    assert notices.find(library.engine.ledger) == []


def test_settings_that_break_while_a_delivery_is_at_work_keep_its_file_and_say_so(library: House) -> None:
    library.drop("items_1.csv", GOOD)
    [claimed] = library.claimed()
    library.write(yaml().replace("profile: koha", "profile: kohaa"))
    done = library.run(claimed.id)
    assert (done.state, done.reason) == (State.FAILED, "SETTINGS_INVALID")
    assert (library.inbox / "items_1.csv").exists()
    library.write(yaml())
    assert library.run(claimed.id).state == State.ACKNOWLEDGED, "cleared once it is mended, it goes on"


def test_a_disk_that_refuses_writes_does_not_undo_a_delivery(library: House) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    library.drop("items_1.csv", GOOD)
    library.inbox.chmod(0o555)
    try:
        assert library.taken().state == State.ACKNOWLEDGED
    finally:
        library.inbox.chmod(0o755)
