"""Bad XML: any DTD is refused; a record that is no XML, too deep or with characters that XML does not know costs only itself."""

from __future__ import annotations

from include.engine.delivery import State
from include.engine.reasons import LANGUAGES
from tests.connectors.ils.marc_records import record, xml
from tests.flows.conftest import Make
from tests.house import refused, tells

AS_XML = "{tables: {bibliographic: {format: marcxml, record_format: marc21, charset: utf-8, items: null}}}"
DEEP = record("deep").replace("<record>", "<record>" + "<a>" * 60).replace("</record>", "</a>" * 60 + "</record>")
FAULTS = {
    "XML_TOO_DEEP": DEEP.encode(),
    "XML_CHARACTER_INVALID": record("control", "Æbler &#1; pærer").encode(),
    "XML_UNREADABLE": record("torn").replace("</datafield>", "</datafeild>").encode(),
}


def test_any_document_type_declaration_is_refused_also_one_that_reads_our_files(at: Make) -> None:
    library = at(overrides=AS_XML)
    entity = '<?xml version="1.0"?>\n<!DOCTYPE collection [<!ENTITY x SYSTEM "file:///etc/passwd">]>\n'
    for name, head in (("bib_dtd.mrc", '<?xml version="1.0"?>\n<!DOCTYPE collection>\n'), ("bib_xxe.mrc", entity)):
        content = xml(record("1", "&x;" if "ENTITY" in head else "Æbler"), head=head)
        done = library.deliver(name, content)
        refused(library, done, "XML_DTD")
        assert library.landed(done) == content
    assert library.deliver("bib_good.mrc", xml(record("1"))).counts.published == 1


def test_a_bad_record_is_set_aside_with_its_bytes_and_its_neighbours_go_on(at: Make) -> None:
    library = at(overrides=AS_XML)
    good = [record(f"g{number}") for number in range(4)]
    whole = xml(*good[:1], *(part for fault, after in zip(FAULTS.values(), good[1:], strict=True) for part in (fault.decode(), after)))
    done = library.deliver("bib_faults.mrc", whole)
    assert (done.state, done.counts.in_, done.counts.published, done.counts.quarantined) == (State.ACKNOWLEDGED, 7, 4, 3)
    assert [row["control_number"] for row in library.rows("bibliographic", "control_number")] == ["g0", "g1", "g2", "g3"]
    assert library.kept(done) == {code: [raw] for code, raw in FAULTS.items()}
    for language in LANGUAGES:
        assert all(tells(library.receipt_in(done, language), code, language) for code in FAULTS)


def test_xml_without_any_record_is_refused(at: Make) -> None:
    library = at(overrides=AS_XML)
    refused(library, library.deliver("bib_none.mrc", b'<?xml version="1.0"?>\n<html><body>Sorry</body></html>\n'), "XML_NO_RECORDS")
