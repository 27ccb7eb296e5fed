"""A person who is erased is in no byte of the house, and does not come back by what was received before."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import socket
import sys
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import time_machine

from connectors.bi.feed import feed
from connectors.bi.house import house_of
from connectors.bi.manifest import differences
from connectors.bi.snapshot import latest, snapshots
from include.engine import clock
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import State
from include.engine.dispatch.look import look
from include.engine.erasure import Certificate, ask, erase
from include.engine.erasure.__main__ import main
from include.engine.erasure.replays import Erased
from include.engine.errors import KeyDestroyed, Refused, Unreachable, WrongState
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.receive import receive
from include.engine.ledger import audit, deliveries, quarantined, receipts
from include.engine.ledger.quarantined import Fate
from include.engine.privacy.pseudonym import Pseudonyms
from include.engine.quarantine import store
from include.engine.replay import replay
from include.sandbox.servers.ports import HOST
from tests.engine import people
from tests.engine.lived_in import ANNE, CHILD, OTHER, TRACES, House, live_in, opened_at
from tests.house import MASTER


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> tuple[Path, Path]:
    """A home that tests take turns in (landed bytes are known by their absolute place), and a copy of it as it is when lived in."""
    base = tmp_path_factory.mktemp("erasure")
    live_in(opened_at(base, migrated_file))
    shutil.copytree(base / "home", base / "lived_in")
    return base / "home", base / "lived_in"


@pytest.fixture
def lived_in(places: tuple[Path, Path]) -> House:
    home, template = places
    shutil.rmtree(home)
    shutil.copytree(template, home)
    return opened_at(home.parent)


@pytest.fixture
def house(tmp_path: Path, migrated_file: Path) -> House:
    return opened_at(tmp_path, migrated_file)


def erased(house: House) -> Certificate:
    return erase(house.engine, "lindeby", ask(house.engine, "lindeby", patron_id="N4711-QX"), who="privacy officer")


def test_before_an_erasure_the_search_of_this_test_finds_the_person_in_every_place(lived_in: House) -> None:
    places = {trace.partition("/")[0] for trace in lived_in.traces(TRACES)}
    assert places >= {"landing", "quarantine", "lake", "bi", "inbox", "outbound"}


def test_after_an_erasure_no_byte_of_the_home_folder_holds_the_person(lived_in: House) -> None:
    erased(lived_in)
    assert lived_in.traces([*TRACES, "aase2@qvist.example"]) == []


def test_the_others_stay(lived_in: House) -> None:
    erased(lived_in)
    assert sorted(row["patron_id"] for row in lived_in.rows("patron_identity")) == ["5001", "6002"]
    assert [row["guardian_id"] for row in lived_in.rows("patron_identity") if row["patron_id"] == "5001"] == [None]
    assert len(lived_in.rows("patron")) == len(lived_in.rows("patron_alias")) == 2
    loans = {row["loan_id"]: row["patron"] is not None for row in lived_in.rows("loan")}
    assert loans == {"L1": False, "L2": False, "L3": True, "L4": True, "L5": False}


def test_loans_without_the_person_hash_as_if_they_had_been_delivered_so(lived_in: House) -> None:
    erased(lived_in)
    found = lived_in.deliver("loans_3.csv", ["L1;;;2026-10-01;2026-10-09", "L3;6002;;2026-10-03;"])
    assert found.facts["published"]["loan"]["unchanged"] == 2


def test_quarantined_records_of_others_can_still_be_read(lived_in: House) -> None:
    erased(lived_in)
    found = quarantined.find(lived_in.engine.ledger)
    assert [one.state for one in found] == [Fate.ERASED, Fate.OPEN]
    rows = store.read(lived_in.engine.home, found[1].blob_uri, lived_in.engine.keys)
    assert rows.column("raw").to_pylist() == [None, b"6002;broken\r\n"]


def test_deliveries_that_name_the_person_cannot_be_replayed_and_others_can(lived_in: House) -> None:
    other = lived_in.deliver("loans_9.csv", ["L9;6002;;2026-10-04;"])
    certificate = erased(lived_in)
    assert len(certificate.deliveries) == 4
    for id in certificate.deliveries:
        with pytest.raises(KeyDestroyed, match=certificate.number):
            replay(lived_in.engine, id, who="operator")
    assert lived_in.run(replay(lived_in.engine, other.id, who="operator").id).state == State.ACKNOWLEDGED


def test_bi_snapshots_stay_whole_and_count_the_same(lived_in: House) -> None:
    root = lived_in.engine.home / "bi"
    before = {one.snapshot: one.rows["fact_loan"] for one in snapshots(root)}
    erased(lived_in)
    after = snapshots(root)
    assert {one.snapshot: one.rows["fact_loan"] for one in after} == before
    for one in after:
        assert differences(root / one.path, one) == []
    assert latest(root) in after
    assert feed(house_of(lived_in.engine)).made


def test_the_certificate_says_what_was_removed_where_and_names_nobody(lived_in: House) -> None:
    certificate = erased(lived_in)
    folder = lived_in.engine.home / "certificates" / "lindeby"
    page, data = (folder / f"{certificate.number}.html").read_text(), json.loads((folder / f"{certificate.number}.json").read_text())
    found = {place.place: place.found for place in certificate.places}
    assert found["landing"] == 4
    assert found["quarantine"] == 1
    assert found["lake, table patron_identity"] == 2  # the person, and the child's guardian
    assert found["lake, table loan"] == 3
    assert sum(count for place, count in found.items() if place.startswith("BI snapshot")) > 2
    assert found["archived sources and outbound copies here"] == 5
    assert certificate.outside == ("sftp://crm_vendor/in/crm.csv",)
    assert data["requested_by"] == "privacy officer" and len(data["keys_destroyed"]) >= 4
    assert all(text in page for text in (certificate.number, "Lindeby Biblioteker", "sftp://crm_vendor", certificate.reference))
    assert "http" not in page, "the page needs nothing from elsewhere"
    assert not any(trace in page + json.dumps(data) for trace in TRACES if trace != "N4711-QX")
    [entry] = audit.find(lived_in.engine.ledger, action="erase")
    assert (entry.who, entry.subject) == ("privacy officer", certificate.number)
    assert certificate.number in str(certificate)


def test_a_receipt_that_shows_the_person_is_overwritten_there_and_an_unreachable_one_is_named(lived_in: House) -> None:
    [delivery, *_] = deliveries.find(lived_in.engine.ledger, table="patron")
    [own] = (lived_in.engine.home / "receipts" / "lindeby").glob(f"{delivery.id}.txt")
    own.write_text(own.read_text() + "row 4: 010190-1234 is no date\n")
    receipts.add(lived_in.engine.ledger, delivery.id, "partner txt", "sftp://gone_server/receipts/x.txt", "da", sent_at=clock.now())
    receipts.add(lived_in.engine.ledger, delivery.id, "mail", "mailto:drift@lindeby.example", "da", sent_at=clock.now())
    certificate = erased(lived_in)
    assert own.read_text().endswith("row 4: *********** is no date\n")
    assert {place.place: place.found for place in certificate.places}["receipts"] == 1
    assert "sftp://gone_server/receipts/x.txt" in certificate.outside
    assert lived_in.traces(TRACES) == []


def test_a_server_that_is_away_is_asked_once_and_not_for_each_of_its_receipts(lived_in: House) -> None:
    asked: list[int] = []
    with socket.create_server((HOST, 0)) as away:

        def hang_up() -> None:
            while True:
                try:
                    line, _ = away.accept()
                except OSError:  # closed at the end of the test
                    return
                asked.append(1)
                line.close()

        threading.Thread(target=hang_up, daemon=True).start()
        uri = f"sftp://u:p@{HOST}:{away.getsockname()[1]}/?no_host_key_check=true"
        engine = replace(lived_in.engine, credentials=EnvironmentCredentials(MASTER | {"AIRFLOW_CONN_AWAY": uri}))
        [delivery, *_] = deliveries.find(engine.ledger, table="patron")
        named = [f"sftp://away/receipts/{number}.txt" for number in range(5)]
        for one in named:
            receipts.add(engine.ledger, delivery.id, "partner txt", one, "da", sent_at=clock.now())
        certificate = erased(House(engine))
        away.shutdown(socket.SHUT_RDWR)
    assert set(named) <= set(certificate.outside)
    assert asked == [1]


def test_bytes_that_cannot_be_unpacked_cannot_be_cleared_of_the_person_and_go_too(lived_in: House) -> None:
    whole = gzip.compress(b"L8;6002;;2026-10-08;\r\n" * 500)
    (lived_in.engine.home / "inbox" / "lindeby" / "loans_8.csv.gz").write_bytes(whole[:-20])
    [claimed] = look(lived_in.engine, patience=10)
    with pytest.raises(Refused):
        receive(lived_in.engine, claimed.id, people)
    acknowledge(lived_in.engine, claimed.id, people)
    certificate = erased(lived_in)
    assert claimed.id in certificate.deliveries
    assert "1 could not be unpacked" in certificate.places[0].done


def test_asked_again_the_certificate_is_the_same(lived_in: House) -> None:
    certificate = erased(lived_in)
    assert erase(lived_in.engine, "lindeby", certificate.reference, who="someone else") == certificate


def test_a_person_can_be_erased_by_card_and_by_pseudonym(lived_in: House) -> None:
    by_card = ask(lived_in.engine, "lindeby", card="CARD-77")
    erase(lived_in.engine, "lindeby", by_card, who="officer")
    assert lived_in.traces(TRACES) == []
    pseudonym = Pseudonyms(lived_in.engine.keys, "lindeby", "lake").one("6002")
    erase(lived_in.engine, "lindeby", pseudonym, who="officer")
    assert [row["patron_id"] for row in lived_in.rows("patron_identity")] == ["5001"]


def test_a_try_that_dies_is_finished_by_the_next(lived_in: House, monkeypatch: pytest.MonkeyPatch) -> None:
    pseudonym = Pseudonyms(lived_in.engine.keys, "lindeby", "lake").one("N4711-QX")
    with monkeypatch.context() as broken:
        broken.setattr("include.engine.erasure.snapshots.erase", lambda *_: (_ for _ in ()).throw(OSError("disk")))
        with pytest.raises(OSError, match="disk"):
            erase(lived_in.engine, "lindeby", pseudonym, who="officer")
    certificate = erase(lived_in.engine, "lindeby", pseudonym, who="officer")
    assert lived_in.traces([*TRACES, "aase2@qvist.example"]) == []
    found = {place.place: place.found for place in certificate.places}
    assert (found["landing"], found["quarantine"], found["lake, table loan"]) == (4, 1, 3), "what the first try did is on it too"
    assert list((lived_in.engine.home / "erasure").rglob("*.sealed")) == []


def test_an_erasure_waits_for_a_delivery_at_work(lived_in: House) -> None:
    (lived_in.engine.home / "inbox" / "lindeby" / "loans_7.csv").write_bytes(b"L7;N4711-QX;;2026-10-07;\r\n")
    [claimed] = look(lived_in.engine, patience=10)
    reference = ask(lived_in.engine, "lindeby", patron_id="N4711-QX")
    with pytest.raises(Unreachable, match="ERASURE_WAITS"):
        erase(lived_in.engine, "lindeby", reference, who="officer")
    lived_in.run(claimed.id)
    erase(lived_in.engine, "lindeby", reference, who="officer")
    assert lived_in.traces(TRACES) == []


def test_a_delivery_that_begins_while_the_person_is_looked_up_is_waited_for_too(lived_in: House, monkeypatch: pytest.MonkeyPatch) -> None:
    erasing = sys.modules["include.engine.erasure.erase"]
    real, begun = erasing._everything, []

    def meanwhile(*given):
        (lived_in.engine.home / "inbox" / "lindeby" / "loans_7.csv").write_bytes(b"L7;N4711-QX;;2026-10-07;\r\n")
        [claimed] = look(lived_in.engine, patience=10)
        receive(lived_in.engine, claimed.id, people)
        begun.append(claimed.id)
        return real(*given)

    monkeypatch.setattr(erasing, "_everything", meanwhile)
    with pytest.raises(Unreachable, match="ERASURE_WAITS"):
        erased(lived_in)
    monkeypatch.undo()
    assert lived_in.run(begun[0]).state == State.ACKNOWLEDGED
    erased(lived_in)
    assert lived_in.traces(TRACES) == []


def test_rows_of_the_person_are_left_out_of_what_arrived_before_and_taken_in_after(lived_in: House) -> None:
    before = deliveries.find(lived_in.engine.ledger, partner="lindeby", limit=1)[0]
    erased(lived_in)
    rows = pa.RecordBatch.from_pydict(
        {
            "patron_id": ["N4711-QX", "6002", None, "5001"],
            "card_number": [None, None, "CARD-77", None],
            "guardian_id": [None, None, None, "N4711-QX"],
        }
    )
    left, count = Erased(lived_in.engine.ledger, lived_in.engine.keys, before).without(rows)
    assert (left.column("patron_id").to_pylist(), left.column("guardian_id").to_pylist(), count) == (["6002", "5001"], [None, None], 2)
    cards = pa.RecordBatch.from_pydict({"card_numbers": [["1", "2990011223"], None, [], ["2"]]})
    assert Erased(lived_in.engine.ledger, lived_in.engine.keys, before).without(cards)[1] == 1
    with time_machine.travel(clock.now() + timedelta(seconds=5)):
        after = lived_in.deliver("patrons_9.csv", [ANNE, CHILD, OTHER])
    assert Erased(lived_in.engine.ledger, lived_in.engine.keys, after).without(rows) == (rows, 0)
    assert sorted(row["patron_id"] for row in lived_in.rows("patron_identity")) == ["5001", "6002", "N4711-QX"]


def test_whom_nobody_knows_cannot_be_erased(house: House) -> None:
    with pytest.raises(WrongState, match="ERASURE_UNKNOWN"):
        erase(house.engine, "lindeby", "N4711-QX", who="officer")
    with pytest.raises(WrongState, match="ERASURE_UNKNOWN"):
        erase(house.engine, "lindeby", "0" * 32, who="officer")
    with pytest.raises(WrongState, match="nowhere"):
        ask(house.engine, "nowhere", patron_id="N4711-QX")


def test_a_partner_whose_yaml_is_broken_keeps_nobody_from_being_erased(lived_in: House) -> None:
    (lived_in.engine.partners_folder / "lindeby.yaml").write_text("name: [")
    assert erased(lived_in).partner_name == "lindeby"
    assert lived_in.traces(TRACES) == []


def test_the_command_line_takes_the_number_from_its_input_alone(
    house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("BINDERY_HOME", str(house.engine.home))
    monkeypatch.setenv("BINDERY_PARTNERS", str(house.engine.partners_folder))
    for name, value in MASTER.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.stdin", io.StringIO("N4711-QX\n"))
    assert main(["ask", "lindeby"]) == 0
    assert capsys.readouterr().out.strip() == ask(house.engine, "lindeby", patron_id="N4711-QX")
    monkeypatch.setattr("sys.stdin", io.StringIO("CARD-77\n"))
    assert main(["ask", "lindeby", "--card"]) == 0
    monkeypatch.setattr("sys.stdin", io.StringIO("\n"))
    assert main(["ask", "lindeby"]) == 1
    assert main(["erase", "lindeby", "f" * 32, "--who", "officer"]) == 1
    assert "ERASURE_UNKNOWN" in capsys.readouterr().err
