"""What is readable and still wrong: each has its reason code, in the receipt, and nothing that is right waits for it."""

from __future__ import annotations

from datetime import UTC, datetime

from include.engine.delivery import State
from include.engine.reasons import LANGUAGES
from tests.flows.conftest import Make
from tests.flows.files import ITEMS, LOANS, PATRONS, csv, item, items, loan, loans
from tests.house import House, refused, stands_in, tells


def test_a_new_column_stops_nothing_and_is_named(library: House) -> None:
    rows = [f"{row},red" for row in items(1, 3)]
    done = library.deliver("items_new_column.csv", csv(f"{ITEMS},colour", rows))
    assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 3)
    assert "kolonnen colour er ny for os; den læses ikke   COLUMN_NEW" in library.receipt(done)


def test_a_missing_column_that_every_row_needs_is_refused_by_their_name_for_it(library: House) -> None:
    done = library.deliver("items_no_key.csv", csv(ITEMS.replace("itemnumber", "number"), items(1, 3)))
    refused(library, done, "COLUMN_MISSING")
    assert "kolonnen itemnumber, som alle rækker skal have" in library.receipt(done)


def test_a_column_that_changed_its_type_is_refused(library: House) -> None:
    content = csv(ITEMS, [item(number, price="dyr") for number in range(1, 40)])
    done = library.deliver("items_type.csv", content)
    refused(library, done, "TYPE_CHANGED")
    assert "næsten ingen værdi i price kan læses" in library.receipt(done)
    assert library.landed(done) == content


def test_a_key_that_comes_twice_is_set_aside_and_the_first_is_kept(library: House) -> None:
    again, same = item(2, price="1.00"), item(3)
    done = library.deliver("items_twice.csv", csv(ITEMS, [*items(1, 4), again, same]))
    assert (done.counts.in_, done.counts.published, done.counts.quarantined) == (6, 4, 2)
    assert library.kept(done) == {"DUPLICATE_KEY": [f"{again}\n".encode()], "DUPLICATE_ROW": [f"{same}\n".encode()]}
    assert str(next(row["price"] for row in library.rows("item") if row["item_id"] == "2")) == "199.00"
    for language in LANGUAGES:
        receipt = library.receipt_in(done, language)
        assert tells(receipt, "DUPLICATE_KEY", language) and tells(receipt, "DUPLICATE_ROW", language)


def test_a_broken_rule_names_record_column_and_value_in_the_partners_language(library: House) -> None:
    future = loan(7, when="2062-11-02 10:00:00", due="2062-12-02")
    done = library.deliver("loans_future.csv", csv(LOANS, [*loans(1, 3), future]))
    assert (done.state, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 3, 1)
    assert library.kept(done) == {"LOAN_IN_FUTURE": [f"{future}\n".encode()]}
    assert "  post 4           loaned_on er 2062-11-02: et udlån kan ikke ligge i fremtiden" in library.receipt(done)


def test_late_data_is_taken_in_and_a_late_item_file_completes_its_placeholders(library: House) -> None:
    done = library.deliver("loans_late.csv", csv(LOANS, [loan(1, when="2025-03-01 10:00:00", due="2025-04-01", item="70")]))
    assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 1)
    assert library.rows("loan")[0]["loaned_on"].year == 2025
    [stand_in] = library.rows("item")
    assert (stand_in["item_id"], stand_in["placeholder"], stand_in["barcode"]) == ("70", True, None)
    assert tells(library.receipt(done), "UNKNOWN_ITEM", "da")
    late = library.deliver("items_late.csv", csv(ITEMS, [item(70)]))
    assert (late.state, late.counts.published) == (State.ACKNOWLEDGED, 1)
    [whole] = library.rows("item")
    assert (whole["barcode"], whole["placeholder"]) == ("B00070", False)


def test_a_time_that_summer_time_skips_is_read_an_hour_later_and_said(library: House) -> None:
    done = library.deliver("loans_gap.csv", csv(LOANS, [loan(1, when="2026-03-29 02:30:00", due="2026-04-29")]))
    assert (done.state, done.counts.published) == (State.ACKNOWLEDGED, 1)
    assert library.rows("loan")[0]["loaned_at"] == datetime(2026, 3, 29, 1, 30, tzinfo=UTC)
    for language in LANGUAGES:
        assert tells(library.receipt_in(done, language), "TIME_IN_DST_GAP", language)


def test_a_cpr_number_that_fails_modulus_11_is_accepted_and_stands_in_the_identity_table_alone(at: Make) -> None:
    library = at(overrides="{tables: {patron: {columns: {national_id: nationalid}}}}")
    row = "5,2000000005,Test,Berggren,1965-01-01,MAIN,A,010165-9994"
    done = library.deliver("patrons_1.csv", csv(PATRONS, [row]))
    assert (done.state, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 1, 0)
    [identity] = library.rows("patron_identity", "patron")
    assert identity["national_id"].replace("-", "") == "0101659994"
    [patron] = library.rows("patron", "patron")
    for text in (library.receipt(done), str(patron)):
        assert not stands_in("9994", text) and "0101659994" not in text


def test_an_identity_number_in_another_table_costs_its_row_and_is_not_repeated(library: House) -> None:
    noted = item(9, branch="Lånt til 010165-9994")
    done = library.deliver("items_noted.csv", csv(ITEMS, [*items(1, 3), noted]))
    assert (done.state, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 3, 1)
    assert library.kept(done) == {"IDENTITY_IN_TABLE": [f"{noted}\n".encode()]}
    receipt = library.receipt(done)
    assert tells(receipt, "IDENTITY_IN_TABLE", "da")
    assert not stands_in("9994", receipt) and "0101659994" not in receipt
