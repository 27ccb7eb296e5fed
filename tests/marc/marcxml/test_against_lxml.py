"""MARCXML as lxml reads it: every sample and generated records, in the spellings of several programs."""

from __future__ import annotations

import io
from collections.abc import Iterable
from pathlib import Path

import pytest
from lxml import etree

from include.marc import iso2709, marcxml
from include.marc.batch import Batch
from include.marc.build import one_by_one
from include.marc.record import Record
from include.marc.write import marcxml as to_xml
from tests.bench.marc_data import _chunk
from tests.marc.samples import FILES, needs_samples
from tests.marc.test_elements import read

#: An export of each sample is cut here: lxml needs a second for a thousand records.
MOST = 400_000


def written(content: bytes) -> bytes:
    out = io.BytesIO()
    to_xml.write(iso2709.scan(io.BytesIO(content)), out)
    return out.getvalue()


def ours(content: bytes) -> list[Record]:
    return records(marcxml.scan(io.BytesIO(content), block=1 << 16))


def records(batches: Iterable[Batch]) -> list[Record]:
    return [record for batch in batches for record in one_by_one(batch)]


def theirs(content: bytes) -> list[Record]:
    return [read(element) for element in etree.fromstring(content, etree.XMLParser(huge_tree=True)).iter("{*}record")]


def as_others_write_it(content: bytes) -> list[bytes]:
    """The same document with a prefix, indented, and in another encoding."""
    tree = etree.fromstring(content)
    namespace = etree.QName(tree).namespace or ""
    prefixed = etree.Element(tree.tag, nsmap={"marc": namespace})
    prefixed.extend(tree)
    etree.cleanup_namespaces(prefixed)
    plain = etree.tostring(prefixed, xml_declaration=True, encoding="UTF-8")
    etree.indent(prefixed)
    return [
        plain,
        etree.tostring(prefixed, xml_declaration=True, encoding="UTF-8"),
        etree.tostring(prefixed, encoding="unicode").encode("utf-16"),
    ]


@needs_samples
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_sample_written_as_xml_is_read_as_lxml_reads_it(file: Path) -> None:
    content = file.read_bytes()[:MOST]
    content = written(content[: content.rindex(b"\x1d") + 1] if b"\x1d" in content else content)
    if b"<record" in content:
        assert ours(content) == theirs(content)


def test_generated_records_are_read_as_lxml_reads_them_in_every_spelling() -> None:
    content = written(_chunk((0, 300, 1, 0.0)))
    expected = theirs(content)
    assert len(expected) == 300
    for spelled in (content, *as_others_write_it(content)):
        assert ours(spelled) == expected == theirs(spelled)


def test_both_encodings_of_one_export_yield_the_same_table() -> None:
    content = _chunk((0, 300, 1, 0.0))
    one = [batch.long() for batch in iso2709.scan(io.BytesIO(content), block=1 << 30)]
    other = [batch.long() for batch in marcxml.scan(io.BytesIO(written(content)), block=1 << 30)]
    assert len(one) == len(other) == 1
    rows = one[0].filter([tag != "LDR" for tag in one[0].column("tag").to_pylist()]).to_pylist()
    assert rows == [row for row in other[0].to_pylist() if row["tag"] != "LDR"]  # leader/09 says what each is written in
    leaders = [[row["value"] for row in table.to_pylist() if row["tag"] == "LDR"] for table in (one[0], other[0])]
    assert [leader[:9] + leader[10:] for leader in leaders[0]] == [leader[:9] + leader[10:] for leader in leaders[1]]
