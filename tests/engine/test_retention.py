"""What was kept long enough goes, and nothing before its time."""

from __future__ import annotations

import shutil
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
import time_machine
from pydantic import ValidationError

from include.engine import clock
from include.engine.delivery import NewDelivery, State, delivery_id
from include.engine.dispatch.look import look
from include.engine.errors import KeyDestroyed, SettingsError, Tampered, Unreachable
from include.engine.ledger import deliveries, quarantined, receipts
from include.engine.ledger import keys as key_rows
from include.engine.ledger.quarantined import Fate
from include.engine.partner.retention import Retention
from include.engine.privacy.loans import over, unlink, without_old_links
from include.engine.quarantine import store
from include.engine.replay import replay
from include.engine.retention import HISTORY, Enforced, enforce, history_period
from tests.engine.lived_in import ANNE, BROKEN, OTHER, House, opened_at

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> tuple[Path, Path]:
    base = tmp_path_factory.mktemp("retention")
    house = opened_at(base, migrated_file)
    house.deliver("patrons_1.csv", [ANNE, OTHER, BROKEN])
    today = clock.now().date()
    house.deliver(
        "loans_1.csv",
        [f"L1;4711;;{today - 40 * DAY};{today - 35 * DAY}", f"L2;6002;;{today - 20 * DAY};{today - 5 * DAY}", f"L3;6002;;{today};"],
    )
    with house.engine.ledger.autocommit() as connection:
        connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copytree(base / "home", base / "lived_in")
    return base / "home", base / "lived_in"


@pytest.fixture
def house(places: tuple[Path, Path]) -> House:
    home, template = places
    shutil.rmtree(home)
    shutil.copytree(template, home)
    return opened_at(home.parent)


def after(days: float, house: House) -> Enforced:
    with time_machine.travel(clock.now() + days * DAY, tick=True):
        return enforce(house.engine)


def files(house: House, area: str) -> list[Path]:
    return [path for path in (house.engine.home / area).rglob("*") if path.is_file()]


def test_the_houses_own_periods_are_those_of_the_architecture() -> None:
    kept = Retention()
    assert (kept.landed, kept.quarantine, kept.lake_history) == (30 * DAY, 90 * DAY, 30 * DAY)
    assert (kept.receipts, kept.loan_patron_link, kept.legal_basis) == (365 * DAY, 30 * DAY, None)


def test_longer_links_need_a_legal_basis() -> None:
    with pytest.raises(ValidationError, match="legal_basis"):
        Retention(loan_patron_link=60 * DAY)
    assert Retention(loan_patron_link=60 * DAY, legal_basis="consent of each patron").loan_patron_link == 60 * DAY


def test_before_its_time_nothing_goes_but_the_links_of_old_loans(house: House) -> None:
    done = after(1, house)
    assert (done.landed, done.quarantine, done.receipts, done.staged) == (0, 0, 0, 0)
    assert {row["loan_id"]: row["patron"] is None for row in house.rows("loan")} == {"L1": True, "L2": False, "L3": False}
    assert done.loans == 1
    assert after(1, house).loans == 0, "done again it finds nothing"
    assert after(27, house).loans == 1
    assert "loans without their patron now: 1" in str(Enforced(loans=1))


def test_landed_bytes_go_after_thirty_days_and_their_quarantine_stays_readable(house: House) -> None:
    [patrons] = deliveries.find(house.engine.ledger, table="patron")
    assert after(31, house).landed == 2
    assert after(32, house).landed == 0
    with pytest.raises(KeyDestroyed, match="30 days"):
        replay(house.engine, patrons.id, who="operator")
    [one] = quarantined.find(house.engine.ledger)
    assert store.read(house.engine.home, one.blob_uri, house.engine.keys).column("raw").to_pylist() == [f"{BROKEN}\r\n".encode()]


def test_landed_bytes_stay_while_a_replay_of_them_waits(house: House) -> None:
    [patrons] = deliveries.find(house.engine.ledger, table="patron")
    replay(house.engine, patrons.id, who="operator")
    assert after(31, house).landed == 1


def test_landed_bytes_of_a_partner_whose_name_has_two_underscores_go_too(house: House) -> None:
    now = clock.now()
    new = NewDelivery(delivery_id("kb__dk", "loan", now, "loans", 1, 1), "kb__dk", "people_import", "loan", now)
    deliveries.see(house.engine.ledger, new)
    house.engine.keys.ensure("delivery", new.id)
    with house.engine.ledger.begin() as tx:
        tx.exec_driver_sql("UPDATE delivery SET state = 'acknowledged' WHERE id = ?", (new.id,))
    assert after(31, house).landed == 3
    assert house.engine.keys.find("delivery", new.id) == []


def test_one_damaged_file_keeps_nothing_else_from_going_and_is_told_of(house: House) -> None:
    loans, patrons = deliveries.find(house.engine.ledger)
    [blob] = files(house, "quarantine")
    blob.write_bytes(blob.read_bytes()[:-1])
    with pytest.raises(Tampered, match=blob.name):
        after(31, house)
    assert house.engine.keys.find("delivery", loans.id) == []
    assert house.engine.keys.find("delivery", patrons.id) != []
    assert all(row["patron"] is None for row in house.rows("loan") if row["loan_id"] == "L2"), "what comes behind is done too"


def test_a_table_of_the_lake_whose_contract_was_given_up_stops_nothing(house: House) -> None:
    (house.engine.home / "lake" / "given_up" / "_delta_log").mkdir(parents=True)
    assert after(31, house).landed == 2


def test_the_files_behind_the_keys_are_seen_to_once_for_all_that_go_in_a_night(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    scrubbed: list[int] = []
    real = key_rows.scrub
    monkeypatch.setattr(key_rows, "scrub", lambda ledger: (scrubbed.append(1), real(ledger)))
    assert after(31, house).landed == 2
    assert scrubbed == [1]


def test_quarantine_goes_after_ninety_days(house: House) -> None:
    [one] = quarantined.find(house.engine.ledger)
    assert after(91, house).quarantine == 1
    assert files(house, "quarantine") == []
    assert quarantined.find(house.engine.ledger)[0].state == Fate.DISCARDED
    with pytest.raises(Unreachable, match="no longer kept"):
        store.read(house.engine.home, one.blob_uri, house.engine.keys)


def test_receipts_go_after_a_year(house: House) -> None:
    assert len(files(house, "receipts")) >= 4
    assert after(366, house).receipts >= 4
    assert files(house, "receipts") == []


def test_staged_bytes_that_a_crash_left_go_after_a_day_and_those_at_work_stay(house: House) -> None:
    [patrons] = deliveries.find(house.engine.ledger, table="patron")
    for left in (patrons.id, "lindeby__loan__20260101T0000__00000000"):
        folder = house.engine.home / "staging" / "lindeby" / left / "000001"
        folder.mkdir(parents=True)
        (folder / "patron.staged").write_bytes(b"x")
    assert after(0, house).staged == 1
    assert after(2, house).staged == 1
    assert files(house, "staging") == []


def test_a_delivery_at_work_is_left_alone(house: House) -> None:
    (house.engine.home / "inbox" / "lindeby" / "loans_9.csv").write_bytes(b"L9;6002;;2026-10-07;\r\n")
    [claimed] = look(house.engine, patience=10)
    assert after(31, house).landed == 2
    assert house.run(claimed.id).state == State.ACKNOWLEDGED


def test_a_partner_whose_yaml_is_gone_is_kept_to_the_houses_own_periods(house: House) -> None:
    (house.engine.partners_folder / "lindeby.yaml").unlink()
    assert after(91, house).quarantine == 1


def test_old_versions_of_the_lake_go_when_their_time_is_over(house: House) -> None:
    house.deliver("patrons_2.csv", [ANNE.replace("aase@", "aase2@"), OTHER])
    before = len(files(house, "lake"))
    after(1, house)
    after(35, house)
    assert len([path for path in files(house, "lake") if path.suffix == ".parquet"]) < before
    assert b"aase@" not in b"".join(path.read_bytes() for path in files(house, "lake"))
    assert len(house.rows("patron_identity")) == 2


def test_the_history_of_deliveries_stays_unless_the_installation_says_for_how_long(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(HISTORY, raising=False)
    assert after(500, house).histories == 0
    monkeypatch.setenv(HISTORY, "365")
    assert after(300, house).histories == 0
    assert after(500, house).histories == 2
    [patrons] = deliveries.find(house.engine.ledger, table="patron")
    assert deliveries.events(house.engine.ledger, patrons.id) == []
    assert quarantined.find(house.engine.ledger) == []
    assert {one.kind for one in receipts.of(house.engine.ledger, patrons.id)} == {"partner txt", "partner json"}


def test_an_open_case_is_never_pruned_and_keeps_its_receipts(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HISTORY, "31")
    _, patrons = deliveries.find(house.engine.ledger)
    before = receipts.of(house.engine.ledger, patrons.id)
    assert after(80, house).told == 0, "our own copies are kept for a year"
    [one] = quarantined.find(house.engine.ledger)
    assert (one.delivery_id, one.state) == (patrons.id, Fate.OPEN)
    assert receipts.of(house.engine.ledger, patrons.id) == before


@pytest.mark.parametrize("said", ["30", "a year", "-1", "99999"])
def test_a_period_that_is_no_number_of_days_or_less_than_the_board_looks_back_is_refused(said: str) -> None:
    with pytest.raises(SettingsError, match="BINDERY_HISTORY_DAYS must be a whole number of days from 31"):
        history_period({HISTORY: said})
    assert history_period({}) is None


def test_a_wrong_period_of_the_installation_keeps_nothing_else_from_going(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HISTORY, "soon")
    with pytest.raises(SettingsError, match=HISTORY):
        after(91, house)
    assert files(house, "quarantine") == []


def test_a_loan_is_over_when_any_of_its_rows_says_so() -> None:
    moment = pa.timestamp("us", "UTC")
    at = pa.scalar(clock.now(), moment)
    rows = pa.table(
        {
            "event": ["loan", "loan", "return", "renewal", "loan"],
            "kind": ["home", "home", "home", "home", "e_loan"],
            "due_on": pa.array([date(2026, 1, 9)] * 5),
            "returned_on": pa.array([None, date(2026, 1, 5), None, None, None], pa.date32()),
            "returned_at": pa.nulls(5, moment),
            "happened_at": pa.array([None, None, at.as_py(), at.as_py(), None], moment),
        }
    )
    assert over(rows).to_pylist() == [None, date(2026, 1, 5), at.as_py().date(), None, date(2026, 1, 9)]


def test_old_links_do_not_come_back_with_a_later_delivery() -> None:
    moment = pa.timestamp("us", "UTC")
    rows = pa.table(
        {
            "loan_id": ["1", "2"], "event": ["loan"] * 2, "kind": ["home"] * 2, "patron": ["a", "b"], "key_id": ["k", "k"], "patron_is_alias": [True, True],
            "due_on": pa.nulls(2, pa.date32()), "returned_on": pa.array([date(2026, 1, 5), date(2026, 3, 5)]),
            "returned_at": pa.nulls(2, moment), "happened_at": pa.nulls(2, moment),
        }
    )  # fmt: skip
    left = without_old_links(rows, date(2026, 2, 1))
    assert left.select(["patron", "key_id", "patron_is_alias"]).to_pylist() == [
        {"patron": None, "key_id": None, "patron_is_alias": False},
        {"patron": "b", "key_id": "k", "patron_is_alias": True},
    ]
    assert without_old_links(rows, date(2025, 1, 1)) is rows


def test_a_lake_without_loans_has_none_to_unlink(tmp_path: Path, migrated_file: Path) -> None:
    assert unlink(opened_at(tmp_path, migrated_file).engine.lake, "lindeby", date(2026, 1, 1)) is None
