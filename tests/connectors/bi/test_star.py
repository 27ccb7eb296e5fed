"""The star: what counts as what, under which key, and what an analyst never gets to see."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.bi.star import Measures, build_partner, build_shared
from connectors.bi.tables import TABLES
from include.engine.errors import BinderyError
from tests.connectors.bi.small_lake import Keys, ask, loan, pseudonym, rows, small_house, small_tables, table


def build(home: Path, tables: dict[str, pa.Table] | None = None) -> tuple[Path, dict[str, Measures]]:
    """The star of all partners, without snapshot and gate."""
    house, star, work = small_house(home, tables), home / "star", home / "work"
    work.mkdir(parents=True)
    measures = {partner: build_partner(house, partner, star, work) for partner in house.source.partners()}
    build_shared(house, (2025, 2026), star, work)
    return star, measures


@pytest.fixture(scope="module")
def star(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build(tmp_path_factory.mktemp("small"))[0]


def key_of(name: str, partner: str = "lindeby") -> str:
    return str(Keys(partner).of(pa.array([pseudonym(name)]))[0])


def test_loans_renewals_and_returns_are_three_measures(star: Path) -> None:
    found = ask(star, "SELECT sum(loans), sum(renewals), sum(returns), count(*) FROM {fact_loan} WHERE partner = 'lindeby'")
    assert found == [(4, 3, 3, 10)]
    assert ask(star, "SELECT DISTINCT event, loans, renewals, returns FROM {fact_loan} ORDER BY ALL") == [
        ("loan", 1, 0, 0),
        ("renewal", 0, 1, 0),
        ("return", 0, 0, 1),
    ]


def test_a_history_row_gives_a_loan_its_renewals_and_its_return_each_in_its_month(star: Path) -> None:
    query = "SELECT event, date, month, returning_branch, loan_days, date_estimated FROM {fact_loan} JOIN {dim_patron} USING (patron_key) "
    assert ask(star, query + "WHERE anonymous ORDER BY ALL") == [
        ("loan", date(2026, 3, 14), "2026-03", "lindeby:", None, False),
        ("renewal", date(2026, 3, 14), "2026-03", "lindeby:", None, True),
        ("renewal", date(2026, 3, 14), "2026-03", "lindeby:", None, True),
        ("return", date(2026, 4, 11), "2026-04", "lindeby:nord", 28, False),
    ]


def test_a_moment_is_a_day_in_the_librarys_own_time_zone(star: Path) -> None:
    assert ask(star, "SELECT date FROM {fact_loan} WHERE event = 'renewal' AND NOT date_estimated") == [(date(2026, 4, 1),)]


def test_a_return_that_is_an_event_of_its_own_is_not_counted_again_from_the_loans_row(tmp_path: Path) -> None:
    both = [
        loan("e1", returned_on=date(2026, 3, 20), renewals=1),
        loan("e1", "return", returned_on=date(2026, 3, 20)),
        loan("e1", "renewal"),
    ]
    _, measures = build(tmp_path, {"loan": table("loan", both)})
    assert measures["lindeby"] == Measures(1, 1, 1, 2026, 2026)


def test_of_a_count_of_renewals_only_those_are_counted_that_are_no_events_of_their_own(tmp_path: Path) -> None:
    at_the_desk_too = [loan("e1", renewals=3), loan("e1", "renewal")]
    counted_later = [loan("e2", renewals=0), loan("e2", "renewal")]
    _, measures = build(tmp_path, {"loan": table("loan", at_the_desk_too + counted_later)})
    assert measures["lindeby"].renewals == 3 + 1


def test_a_return_that_does_not_say_when_lies_at_the_day_of_the_loan_and_says_so(star: Path) -> None:
    query = "SELECT date, loan_days, item_key, title_key FROM {fact_loan} WHERE event = 'return' AND date_estimated"
    assert ask(star, query) == [(date(2026, 3, 14), None, "lindeby:", "lindeby:100:DK-799001")]


def test_a_barcode_finds_its_item_and_a_control_number_its_only_title(star: Path) -> None:
    assert ask(star, "SELECT title_key FROM {dim_item} WHERE item_id = 'i3'") == [("lindeby:100:DK-799001",)]
    query = "SELECT item_key, title_key, owning_branch, material_type FROM {fact_loan} WHERE loans = 1 AND patron_key = '%s'"
    assert ask(star, query % key_of("ada")) == [("lindeby:i2", "lindeby:200:DK-799001", "lindeby:nord", "music")]


def test_an_alias_and_a_merged_patron_lead_to_the_one_that_stayed(star: Path) -> None:
    assert ask(star, f"SELECT age_band, home_library FROM {{dim_patron}} WHERE patron_key = '{key_of('ada')}'") == [("65-79", "lindeby:hb")]
    assert ask(star, f"SELECT count(*) FROM {{dim_patron}} WHERE patron_key = '{key_of('old ada')}'") == [(0,)]


def test_merges_that_run_in_a_circle_end(tmp_path: Path) -> None:
    circle = [{"patron": pseudonym("a"), "merged_into": pseudonym("b")}, {"patron": pseudonym("b"), "merged_into": pseudonym("a")}]
    _, measures = build(tmp_path, {"patron": table("patron", circle), "loan": table("loan", [loan("1", patron=pseudonym("a"))])})
    assert measures["lindeby"].loans == 1


def test_no_key_of_the_star_is_one_of_the_lake(star: Path) -> None:
    lake = {value for name in ("patron", "patron_alias", "loan") for value in small_tables()[name]["patron"].to_pylist() if value}
    for name in TABLES:
        for column in rows(star, name).itercolumns():
            assert not lake & {value for value in column.to_pylist() if isinstance(value, str)}
    assert not {"loan_id", "loan_key", "barcode"} & {column for found in TABLES.values() for column in found.schema.names}


def test_the_same_patron_of_two_libraries_has_two_keys(star: Path) -> None:
    assert key_of("ada") != key_of("ada", "molendal")
    assert ask(star, f"SELECT partner FROM {{fact_loan}} WHERE patron_key = '{key_of('ada', 'molendal')}'") == [("molendal",)]


def test_a_protected_patron_has_neither_municipality_nor_home_library(star: Path) -> None:
    query = f"SELECT age_band, municipality, home_library FROM {{dim_patron}} WHERE patron_key = '{key_of('bo')}'"
    assert ask(star, query) == [("7-12", None, "lindeby:")]


def test_a_deleted_patron_without_a_loan_is_not_there(star: Path) -> None:
    assert ask(star, f"SELECT count(*) FROM {{dim_patron}} WHERE patron_key = '{key_of('gone')}'") == [(0,)]


def test_birth_dates_names_and_numbers_are_no_columns() -> None:
    named = " ".join(TABLES["dim_patron"].schema.names)
    assert not any(word in named for word in ("birth", "national", "card", "email", "address", "gender"))


@pytest.mark.parametrize(
    ("fact", "dimension", "key"),
    [("patron_key", "dim_patron", "patron_key"), ("item_key", "dim_item", "item_key"), ("title_key", "dim_title", "title_key")]
    + [(f"{role}_branch", "dim_library", "branch_key") for role in ("lending", "returning", "owning")]
    + [("material_type", "dim_material", "material_type"), ("date", "dim_date", "date")],
)
def test_no_loan_is_lost_or_doubled_in_a_join(star: Path, fact: str, dimension: str, key: str) -> None:
    query = f"SELECT sum(loans), count(*) FROM {{fact_loan}} AS fact JOIN {{{dimension}}} AS dim ON fact.{fact} = dim.{key}"
    assert ask(star, query) == ask(star, "SELECT sum(loans), count(*) FROM {fact_loan}")


def test_two_lake_rows_with_one_key_stop_the_feed_before_loans_are_doubled(tmp_path: Path) -> None:
    tables = small_tables()
    tables["item"] = pa.concat_tables([tables["item"], tables["item"].slice(0, 1)])
    with pytest.raises(BinderyError, match="BI_LOANS_DIFFER"):
        build(tmp_path, tables)


def test_a_lake_with_loans_alone_gives_a_whole_star(tmp_path: Path) -> None:
    star, measures = build(tmp_path, {"loan": table("loan", [loan("1", patron=None, item_id=None, lending_branch=None)])})
    assert measures["lindeby"].loans == 1
    assert {name: rows(star, name).num_rows for name in TABLES if name not in ("dim_date", "dim_material")} == {
        "dim_title": 1,
        "dim_item": 1,
        "dim_patron": 1,
        "dim_library": 2,  # not stated, and the one that the settings name
        "fact_loan": 1,
    }


some_day = st.dates(date(2025, 1, 1), date(2026, 11, 20))
some_loan = st.fixed_dictionaries(
    {
        "loan_id": st.integers(1, 9).map(str),
        "event": st.sampled_from(["loan", "loan", "renewal", "return"]),
        "kind": st.sampled_from(["home", "in_library", "interlibrary", "institution", "e_loan"]),
        "loaned_on": some_day,
        "returned_on": st.none() | some_day,
        "renewals": st.none() | st.integers(0, 3),
        "patron": st.none() | st.sampled_from(["ada", "bo", "old ada", "stranger", "card of old ada"]).map(pseudonym),
        "item_id": st.none() | st.sampled_from(["i1", "i2", "i3", "elsewhere"]),
        "barcode": st.none() | st.sampled_from(["b1", "b9"]),
        "control_number": st.none() | st.sampled_from(["100", "200", "900"]),
        "lending_branch": st.none() | st.sampled_from(["hb", "nord", ""]),
        "returning_branch": st.none() | st.sampled_from(["hb", "syd"]),
    }
)
GROUPINGS = (
    "month",
    "kind",
    "material_type",
    "event",
    "lending_branch",
    "age_band",
    "title_key",
    "owning_branch",
    "iso_week",
    "date_estimated",
)


def merged(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """As the lake has them: one row for each loan_id and event."""
    return list({(row["loan_id"], row["event"]): row for row in found}.values())


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(some_loan, min_size=1, max_size=12).map(merged), st.lists(st.sampled_from(GROUPINGS), min_size=1, max_size=3, unique=True))
def test_loans_summed_over_any_grouping_are_the_lakes_loan_events(
    tmp_path_factory: pytest.TempPathFactory, found: list[dict[str, Any]], grouping: list[str]
) -> None:
    star, measures = build(tmp_path_factory.mktemp("any"), {**small_tables(), "loan": table("loan", found)})
    loans, told = [row for row in found if row["event"] == "loan"], {(row["loan_id"], row["event"]) for row in found}
    returns = [row for row in loans if row["returned_on"] and (row["loan_id"], "return") not in told]
    renewed = {row["loan_id"]: max(row["renewals"] or 0, 1) for row in found if row["event"] == "renewal"}
    beyond = [max((row["renewals"] or 0) - renewed.get(row["loan_id"], 0), 0) for row in loans]
    expected = (len(loans), sum(renewed.values()) + sum(beyond), len(returns) + sum(row["event"] == "return" for row in found))
    columns = ", ".join(f"fact.{name}" if name in TABLES["fact_loan"].schema.names else name for name in grouping)
    joined = "{fact_loan} AS fact JOIN {dim_patron} USING (patron_key) JOIN {dim_date} USING (date) JOIN {dim_title} USING (title_key)"
    groups = ask(star, f"SELECT sum(loans), sum(renewals), sum(returns) FROM {joined} GROUP BY {columns}") if sum(expected) else []
    assert tuple(sum(group[measure] for group in groups) for measure in range(3)) == expected
    found_here = measures["lindeby"]
    assert (found_here.loans, found_here.renewals, found_here.returns) == expected
    if sum(expected):
        assert ask(star, "SELECT count(*) FROM {fact_loan} WHERE loans + renewals + returns <> 1") == [(0,)]
