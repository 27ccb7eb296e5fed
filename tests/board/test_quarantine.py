"""The quarantine as people use it: finding a record, reading it, deciding; hostile content stays text, and what is masked stays so."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from include.engine.ledger import audit, deliveries, quarantined
from include.engine.ledger.quarantined import Fate, Quarantined
from tests.board.house import ENGINEER
from tests.board.library import BAD_ITEM, BAD_PATRON, GOOD_ITEMS, GOOD_PATRONS, SCRIPT, STAFF, Library
from tests.connectors.ils.marc_records import iso
from tests.flows.files import ITEMS, LOANS, PATRONS, csv, loan


@pytest.fixture
def library(tmp_path: Path, migrated_file: Path) -> Library:
    return Library(tmp_path, migrated_file)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, migrated_file: Path) -> tuple[Library, dict[str, Quarantined]]:
    """Looked at only: an item with markup in it, a patron, and MARC that is cut off."""
    made = Library(tmp_path_factory.mktemp("quarantine"), migrated_file)
    [item] = made.aside("items_<b>1.csv", csv(ITEMS, [*GOOD_ITEMS, BAD_ITEM]))
    [patron] = made.aside("patrons_1.csv", csv(PATRONS, [*GOOD_PATRONS, BAD_PATRON]))
    [marc] = made.aside("bib_1.mrc", iso("a1", title=f"{SCRIPT}".encode()) + iso("a2", title=f"{SCRIPT}".encode())[:-12])
    return made, {"item": item, "patron": patron, "marc": marc}


def text_of(page: str) -> str:
    return html.unescape(re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page)))


def test_records_are_found_by_what_is_asked(shared: tuple[Library, dict[str, Quarantined]]) -> None:
    library, rows = shared
    everything = text_of(library.page("/quarantine"))
    assert "3 records" in everything
    cases = {
        "partner=havnsund": 3,
        "partner=nobody": 0,
        "flow=ils_import": 3,
        f"reason={rows['item'].reason}": 1,
        "state=discarded": 0,
        "state=all": 3,
        f"delivery={rows['marc'].delivery_id}": 1,
        "since=2020-01-01": 3,
        "since=2090-01-01": 0,
        "until=2020-01-01": 0,
        "since=nonsense": 3,
        "q=patrons_1": 1,
        "q=%25": 0,
        f"q={rows['item'].reason.lower()}": 1,
        "q=directory&lang=en": 1 if "DIRECTORY" in rows["marc"].reason else 0,
        "q=nowhere": 0,
    }
    for asked, count in cases.items():
        found = re.findall(r'href="/bindery/quarantine/(\d+)"', library.page(f"/quarantine?{asked}"))
        assert len(set(found)) == count, asked


def test_the_reason_is_said_in_the_readers_language(shared: tuple[Library, dict[str, Quarantined]]) -> None:
    library, rows = shared
    said = {language: text_of(library.page(f"/quarantine/{rows['patron'].id}?lang={language}")) for language in ("en", "da", "sv", "nl")}
    assert len({page[:60] for page in said.values()}) == 4
    assert "Hvad gør man" in said["da"]
    assert f"q={rows['patron'].reason}" not in said["da"]


def test_markup_in_a_record_and_in_a_files_name_is_shown_as_text(shared: tuple[Library, dict[str, Quarantined]]) -> None:
    library, rows = shared
    for path in ("/quarantine", *(f"/quarantine/{row.id}" for row in rows.values())):
        page = library.page(path)
        assert SCRIPT not in page
        assert "items_<b>" not in page
    assert SCRIPT in text_of(library.page(f"/quarantine/{rows['marc'].id}")).replace("  ", " ") or "marc" in library.page(
        f"/quarantine/{rows['marc'].id}"
    )
    assert html.escape(SCRIPT) in library.page(f"/quarantine/{rows['item'].id}")


def test_the_column_to_blame_is_marked(shared: tuple[Library, dict[str, Quarantined]]) -> None:
    library, rows = shared
    [blamed] = re.findall(r'<tr class="blamed">(.*?)</tr>', library.page(f"/quarantine/{rows['item'].id}"), re.S)
    assert "dateaccessioned" in blamed and "2026-13-02" in blamed


def test_a_patron_is_masked_until_somebody_says_why(shared: tuple[Library, dict[str, Quarantined]]) -> None:
    library, rows = shared
    path = f"/quarantine/{rows['patron'].id}"
    for name in (ENGINEER, STAFF):
        page = library.page(path, name)
        assert not any(value in page for value in ("Qvistgaard", "020210", "2990099", "Karoline", "2190-01-02"))
        assert '<textarea id="text"' not in page and 'name="cell"' not in page
    assert library.post(f"{path}/reveal", why=" ").status_code == 409
    assert "Qvistgaard" not in library.post(f"{path}/reveal").text
    answer = library.post(f"{path}/reveal", STAFF, why="the patron's birthday")
    assert answer.status_code == 200 and "Qvistgaard" in answer.text and 'name="cell"' in answer.text
    assert answer.headers["cache-control"] == "no-store"
    [entry] = audit.find(library.house.engine.ledger, action="reveal")
    assert (entry.who, entry.detail["why"]) == (STAFF, "the patron's birthday")
    assert "Qvistgaard" not in library.page(path)
    assert "the patron" in text_of(library.page(path))


def test_a_csv_record_is_mended_by_its_columns(library: Library) -> None:
    [row] = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, BAD_ITEM]))
    page = library.page(f"/quarantine/{row.id}")
    cells = [html.unescape(value) for value in re.findall(r'name="cell" value="([^"]*)"', page)]
    assert cells == BAD_ITEM.split(",")
    cells[2], cells[5] = "3000000000009", "2026-12-02"
    for _ in range(2):
        assert library.post(f"/quarantine/{row.id}/mend", cell=cells).status_code == 303
    done = library.house.run(library.house.claimed()[0].id)
    assert (done.origin, done.counts.published) == (row.delivery_id, 1)
    assert len(deliveries.find(library.house.engine.ledger, origin=row.delivery_id)) == 1
    after = library.page(f"/quarantine/{row.id}")
    assert done.id in after and "taken in since" in after and "/mend" not in after


def test_what_cannot_be_taken_is_shown_again_as_it_was_written(library: Library) -> None:
    rows = library.aside("bib_1.mrc", iso("a1") + iso("a2")[:-12])
    page = library.page(f"/quarantine/{rows[0].id}")
    text = html.unescape(re.search(r"<textarea id=\"text\"[^>]*>\n(.*?)</textarea>", page, re.S)[1])  # type: ignore[index]
    assert text.startswith("LDR ") and "001 a2" in text
    refused = library.post(f"/quarantine/{rows[0].id}/mend", text="245 Titel & mere")
    assert refused.status_code == 409
    assert "245 Titel &amp; mere" in refused.text and "line 1 is no field" in text_of(refused.text)
    mended = text + ("" if "245 10" in text else "245 10 $a Titel\n")
    assert library.post(f"/quarantine/{rows[0].id}/mend", text=mended.replace("\n", "\r\n")).status_code == 303
    done = library.house.run(library.house.claimed()[0].id)
    assert done.counts.published == 1
    assert "a2" in {one["control_number"] for one in library.house.rows("bibliographic", "control_number")}


def test_a_ragged_row_is_mended_below_the_names_of_its_columns(library: Library) -> None:
    [row] = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, "9,9,x"]))
    page = library.page(f"/quarantine/{row.id}")
    assert f"<code>{ITEMS}</code>" in page and ">\n9,9,x</textarea>" in page
    assert library.post(f"/quarantine/{row.id}/mend", text=GOOD_ITEMS[0].replace("1,1,", "9,9,")).status_code == 303
    assert library.house.run(library.house.claimed()[0].id).counts.published == 1


def test_one_or_all_of_a_reason_go_again_and_a_double_click_makes_one(library: Library) -> None:
    bad = [BAD_ITEM.replace("9,9", f"{n},{n}") for n in (7, 8)]
    one, _ = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, *bad]))
    assert "Replay all 2" in text_of(library.page(f"/quarantine/{one.id}"))
    for which in ("one", "one", "reason", "reason"):
        assert library.post(f"/quarantine/{one.id}/replay", which=which).status_code == 303
    made = deliveries.find(library.house.engine.ledger, origin=one.delivery_id)
    assert sorted(str(sorted(one.origin_filter or {})) for one in made) == ["['member', 'record']", "['reason']"]
    assert library.post(f"/quarantine/{one.id}/replay", which="everything").status_code == 400


def test_a_record_is_discarded_with_a_note_once(library: Library) -> None:
    [row] = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, BAD_ITEM]))
    assert library.post(f"/quarantine/{row.id}/discard").status_code == 409
    for _ in range(2):
        answer = library.post(f"/quarantine/{row.id}/discard", STAFF, note=f"not ours {SCRIPT}")
        assert answer.headers["location"] == f"/bindery/quarantine/{row.id}?did=discarded"
    assert quarantined.get(library.house.engine.ledger, row.id).state == Fate.DISCARDED
    page = library.page(f"/quarantine/{row.id}?did=discarded")
    assert "lise: not ours &lt;script&gt;" in page and SCRIPT not in page
    assert library.post(f"/quarantine/{row.id}/replay", which="one").status_code == 409


def test_the_partner_is_told_by_engineers_alone_and_once(library: Library) -> None:
    [row] = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, BAD_ITEM]))
    assert library.post(f"/quarantine/{row.id}/report", STAFF).status_code == 403
    for _ in range(2):
        assert library.post(f"/quarantine/{row.id}/report", words="Hej").status_code == 303
    [file] = (library.house.inbox / "receipts").glob("*.report-*")
    assert file.read_text(encoding="utf-8").startswith("Hej")
    assert file.name in text_of(library.page(f"/quarantine/{row.id}"))


def test_a_record_of_ten_megabytes_is_harmless(library: Library) -> None:
    big = f"9,{'9' * 10_000_000}"
    rows = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, big]))
    page = library.page(f"/quarantine/{rows[0].id}")
    assert len(page) < 300_000
    assert "/mend" not in page


def test_a_record_whose_bytes_are_gone_says_so(library: Library) -> None:
    [row] = library.aside("items_1.csv", csv(ITEMS, [*GOOD_ITEMS, BAD_ITEM]))
    for key in library.house.engine.keys.find("delivery", row.delivery_id):
        library.house.engine.keys.destroy(key, why="retention")
    assert "no longer kept" in library.page(f"/quarantine/{row.id}")
    assert library.post(f"/quarantine/{row.id}/mend", text="x").status_code == 409
    assert library.post(f"/quarantine/{row.id}/replay", which="one").status_code == 409


def test_a_loan_shows_its_public_columns_and_masks_who_borrowed(library: Library) -> None:
    [row] = library.aside("loans_1.csv", csv(LOANS, [*(loan(n) for n in range(1, 6)), loan(9, due="20261301")]))
    page = text_of(library.page(f"/quarantine/{row.id}"))
    assert "borrowernumber #" in page and "date_due 20261301" in page


def test_pages_follow_each_other_without_gap_or_repetition(library: Library) -> None:
    rows = library.aside(
        "items_1.csv", csv(ITEMS, [*(f"{n},{n},{n},MAIN,BK,2026-01-02,100" for n in range(10, 2_600)), *(f"{n},{n}" for n in range(120))])
    )
    assert len(rows) == 120
    seen: list[str] = []
    path: str | None = "/bindery/quarantine?reason=ROW_RAGGED"
    while path:
        page = library.page(path.removeprefix("/bindery"))
        seen += re.findall(r'<th scope="row"><a href="/bindery/quarantine/(\d+)"', page)
        older = re.search(r'<div class="pager">.*href="([^"]*before=[^"]*)"', page)
        path = html.unescape(older[1]) if older else None
    assert seen == [str(row.id) for row in reversed(rows)]


def test_a_place_or_number_that_is_none_does_no_harm(shared: tuple[Library, dict[str, Quarantined]]) -> None:
    library, _ = shared
    for asked in ("before=x", "before=2026-01-01T00:00:00~1", "before=2026-01-01T00:00:00%2B00:00~x"):
        assert "3 records" in text_of(library.page(f"/quarantine?{asked}"))
    for path in ("/quarantine/999999", "/quarantine/x", "/quarantine/-1"):
        assert library.board.browser().get(f"/bindery{path}").status_code == 404
