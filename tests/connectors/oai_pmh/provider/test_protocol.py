"""What the protocol says of each verb, argument and error; every answer is held against a schema (house.ask)."""

from __future__ import annotations

import pytest
import time_machine

from connectors.oai_pmh.provider.desk import Desk
from connectors.oai_pmh.provider.queries import load
from connectors.oai_pmh.provider.settings import OaiProvider
from tests.connectors.oai_pmh.provider.house import Shelf, ask, marcxml, pages, row

DANMARC = marcxml("7", "Ø").replace(
    '<controlfield tag="001">7</controlfield>', '<datafield tag="001" ind1="0" ind2="0"><subfield code="a">7</subfield></datafield>'
)


@pytest.fixture
def desk(shelf: Shelf, now: time_machine.Traveller) -> Desk:
    """Two libraries: eight titles in MARC 21, one in danMARC2, one without MARC, one deleted."""
    shelf.put("lindeby", {"a": [row(n, material_type="book" if n < 6 else "film") for n in range(8)]})
    odd = [row(7, format="danmarc2", marcxml=DANMARC), row(8, marcxml=None), row(9, deleted=True)]
    shelf.put("almvik", {"b": odd}, OaiProvider(rights="CC0"))
    shelf.look()
    now.shift(60)
    return shelf.desk()


def test_identify_says_who_it_is_and_that_deletions_are_remembered(desk: Desk) -> None:
    said = ask(desk, "verb=Identify")
    assert said.all("o:Identify/o:baseURL/text()") == ["http://test.example/oai"]
    assert said.all("o:Identify/o:deletedRecord/text()") == ["persistent"]
    assert said.all("o:Identify/o:granularity/text()") == ["YYYY-MM-DDThh:mm:ssZ"]
    assert said.all("o:Identify/o:earliestDatestamp/text()") == ["2027-01-15T08:00:00Z"]
    assert said.all("o:request/@verb") == ["Identify"]


def test_a_list_comes_in_pages_with_its_size_and_cursor_and_ends_with_an_empty_token(desk: Desk) -> None:
    found = pages(desk, "verb=ListIdentifiers&metadataPrefix=oai_dc")
    assert [len(page.records) for page in found] == [3, 3, 3, 2]
    assert [page.all("*/o:resumptionToken/@cursor")[0] for page in found] == ["0", "3", "6", "9"]
    assert {page.all("*/o:resumptionToken/@completeListSize")[0] for page in found} == {"11"}
    assert found[-1].token is None
    everything = [record for page in found for record in page.records]
    assert len({identifier for identifier, _, _ in everything}) == 11
    assert [identifier for identifier, _, deleted in everything if deleted] == ["oai:test.example:almvik/DK-799001/9"]


def test_a_list_that_fits_on_a_page_has_no_token(desk: Desk) -> None:
    assert ask(desk, "verb=ListRecords&metadataPrefix=oai_dc&set=material:film").all("*/o:resumptionToken") == []


@pytest.mark.parametrize(("prefix", "count"), [("oai_dc", 11), ("marcxchange", 10), ("marcxml", 9)])
def test_a_list_holds_the_records_that_can_be_had_in_its_format(desk: Desk, prefix: str, count: int) -> None:
    assert sum(len(page.records) for page in pages(desk, f"verb=ListRecords&metadataPrefix={prefix}")) == count


@pytest.mark.parametrize(
    ("spec", "count"),
    [("library", 11), ("material", 11), ("library:lindeby", 8), ("library:almvik", 3), ("material:book", 9), ("material:film", 2)],
)
def test_sets_part_the_list(desk: Desk, spec: str, count: int) -> None:
    found = pages(desk, f"verb=ListIdentifiers&metadataPrefix=oai_dc&set={spec}")
    assert sum(len(page.records) for page in found) == count
    assert ask(desk, f"verb=ListIdentifiers&metadataPrefix=oai_dc&set={spec}").error is None


def test_the_sets_are_listed_in_pages_by_name(desk: Desk) -> None:
    found = pages(desk, "verb=ListSets")
    assert [spec for page in found for spec in page.all("*/o:set/o:setSpec/text()")] == [
        "library", "library:almvik", "library:lindeby", "material", "material:book", "material:film",
    ]  # fmt: skip
    assert len(found) == 2
    assert found[0].all("*/o:set/o:setName/text()")[1] == "The library of almvik"


def test_a_record_is_given_in_each_of_its_formats_and_in_no_other(desk: Desk) -> None:
    known = "identifier=oai:test.example:almvik/DK-799001/7"
    assert ask(desk, f"verb=ListMetadataFormats&{known}").all("*//o:metadataPrefix/text()") == ["oai_dc", "marcxchange"]
    assert ask(desk, f"verb=GetRecord&metadataPrefix=marcxml&{known}").error == "cannotDisseminateFormat"
    [record] = ask(desk, f"verb=GetRecord&metadataPrefix=marcxchange&{known}").all("*//o:metadata/*")
    assert record.tag == "{info:lc/xmlns/marcxchange-v1}record"
    assert (record.get("format"), record.get("type")) == ("danMARC2", "Bibliographic")
    [dc] = ask(desk, f"verb=GetRecord&metadataPrefix=oai_dc&{known}").all("*//o:metadata/*")
    assert dc.findtext("{http://purl.org/dc/elements/1.1/}rights") == "CC0"
    assert ask(desk, "verb=ListMetadataFormats").all("*//o:metadataPrefix/text()") == ["oai_dc", "marcxml", "marcxchange"]


def test_a_deleted_record_is_a_header_alone(desk: Desk) -> None:
    said = ask(desk, "verb=GetRecord&metadataPrefix=marcxml&identifier=oai:test.example:almvik/DK-799001/9")
    assert [deleted for _, _, deleted in said.records] == [True]
    assert said.all("*//o:metadata") == []


ID = "identifier=oai:test.example:lindeby/DK-799001/1"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "badVerb"),
        ("verb=", "badVerb"),
        ("verb=Nonsense", "badVerb"),
        ("verb=identify", "badVerb"),
        ("verb=Identify&verb=Identify", "badVerb"),
        ("verb=Identify&x=1", "badArgument"),
        ("verb=GetRecord", "badArgument"),
        ("verb=GetRecord&metadataPrefix=oai_dc", "badArgument"),
        (f"verb=GetRecord&{ID}", "badArgument"),
        (f"verb=GetRecord&{ID}&{ID}&metadataPrefix=oai_dc", "badArgument"),
        (f"verb=GetRecord&{ID}&metadataPrefix=oai_dc&set=library", "badArgument"),
        ("verb=GetRecord&identifier=a%20b&metadataPrefix=oai_dc", "badArgument"),
        (f"verb=GetRecord&{ID}&metadataPrefix=mods", "cannotDisseminateFormat"),
        ("verb=GetRecord&identifier=oai:test.example:lindeby/DK-799001/99&metadataPrefix=oai_dc", "idDoesNotExist"),
        ("verb=GetRecord&identifier=lindeby/DK-799001/1&metadataPrefix=oai_dc", "idDoesNotExist"),
        ("verb=GetRecord&identifier=oai:test.example:&metadataPrefix=oai_dc", "idDoesNotExist"),
        ("verb=ListMetadataFormats&identifier=oai:test.example:no", "idDoesNotExist"),
        ("verb=ListMetadataFormats&metadataPrefix=oai_dc", "badArgument"),
        ("verb=ListRecords", "badArgument"),
        ("verb=ListRecords&metadataPrefix=", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai%20dc", "badArgument"),
        ("verb=ListRecords&metadataPrefix=mods", "cannotDisseminateFormat"),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=library::x", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&set=library:nobody", "noRecordsMatch"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2027-13-01", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2027-02-30", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2027", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2027-01-15T08:00:00", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2027-01-15T08:00:00%2B01:00", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2027-01-15&until=2027-01-15T08:00:00Z", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2027-01-16&until=2027-01-15", "badArgument"),
        ("verb=ListRecords&metadataPrefix=oai_dc&from=2027-01-16", "noRecordsMatch"),
        ("verb=ListRecords&metadataPrefix=oai_dc&until=2027-01-14", "noRecordsMatch"),
        ("verb=ListRecords&resumptionToken=abc", "badResumptionToken"),
        ("verb=ListRecords&resumptionToken=abc&metadataPrefix=oai_dc", "badArgument"),
        ("verb=ListSets&resumptionToken=%3Cx%3E", "badResumptionToken"),
        ("verb=ListSets&set=library", "badArgument"),
        ("verb=ListIdentifiers&metadataPrefix=oai_dc&from=%00", "badArgument"),
        ("verb=ListIdentifiers&metadataPrefix=%FF", "badArgument"),
        ("verb=ListIdentifiers&metadataPrefix=" + "x" * 5000, "badArgument"),
        ("&".join(f"a{n}=1" for n in range(500)), "badArgument"),
    ],
)  # fmt: skip
def test_an_error_is_the_protocols_own(desk: Desk, query: str, code: str) -> None:
    said = ask(desk, query)
    assert said.error == code
    assert bool(said.all("o:request/@*")) == (code not in ("badVerb", "badArgument"))


def test_an_empty_repository_has_no_sets_and_no_records(shelf: Shelf) -> None:
    shelf.look()
    desk = shelf.desk()
    assert ask(desk, "verb=ListSets").error == "noSetHierarchy"
    assert ask(desk, "verb=ListRecords&metadataPrefix=oai_dc").error == "noRecordsMatch"
    assert ask(desk, "verb=ListRecords&metadataPrefix=oai_dc&set=library").error == "noSetHierarchy"


@pytest.mark.parametrize("day", ["2027-01-15", "2027-01-15T08:00:01Z"])
def test_from_and_until_are_inclusive_in_days_and_in_seconds(desk: Desk, day: str) -> None:
    stamps = {stamp for page in pages(desk, "verb=ListIdentifiers&metadataPrefix=oai_dc") for _, stamp, _ in page.records}
    assert stamps == {"2027-01-15T08:00:01Z"}
    found = pages(desk, f"verb=ListIdentifiers&metadataPrefix=oai_dc&from={day}&until={day}")
    assert sum(len(page.records) for page in found) == 11


def test_saved_queries_are_sets(shelf: Shelf, now: time_machine.Traveller) -> None:
    file = shelf.folder / "sets.yaml"
    file.write_text(
        'new_films: {name: New films, where: {material_type: film, year: 2020..}}\nsea: {name: The sea, where: {title: "*havet*"}}'
    )
    shelf.queries = load(file)
    shelf.put(
        "lindeby",
        {"a": [row(1, material_type="film", year=2021), row(2, title="Byen", material_type="film", year=2021), row(3, title="X")]},
    )
    shelf.look()
    now.shift(5)
    desk = shelf.desk()
    assert ask(desk, "verb=ListIdentifiers&metadataPrefix=oai_dc&set=query:new_films").ids == ["1", "2"]
    assert ask(desk, "verb=ListIdentifiers&metadataPrefix=oai_dc&set=query:sea").ids == ["1"]
    assert ask(desk, "verb=ListIdentifiers&metadataPrefix=oai_dc&set=query").ids == ["1", "2"]
    assert ask(desk, "verb=ListSets").all("*/o:set/o:setSpec/text()") == ["library", "library:lindeby", "material"]


def test_a_control_number_of_any_letters_makes_an_identifier_that_finds_its_record(shelf: Shelf, now: time_machine.Traveller) -> None:
    numbers = ["a b", "æ/ø", "100%", "c:lvd:14", '<&">', "x" * 60]
    shelf.put("lindeby", {"a": [row(number, marcxml=marcxml("1", "T")) for number in numbers]})
    shelf.look()
    now.shift(5)
    desk = shelf.desk(page=100)
    identifiers = [identifier for identifier, _, _ in ask(desk, "verb=ListIdentifiers&metadataPrefix=marcxml").records]
    assert len(set(identifiers)) == len(numbers)
    from urllib.parse import quote

    for identifier in identifiers:
        assert ask(desk, f"verb=GetRecord&metadataPrefix=marcxml&identifier={quote(identifier, safe='')}").records[0][0] == identifier
