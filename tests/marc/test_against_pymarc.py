"""A short run of `make marc`, and the way back from the long table on real records."""

from __future__ import annotations

import io

import pytest

from include.marc.iso2709 import scan
from include.marc.long import from_long
from include.marc.write import iso2709 as to_iso
from tests.bench.marc_data import _chunk
from tests.marc.against_pymarc import compare
from tests.marc.samples import FOLDER, needs_samples


def test_generated_records_are_read_as_pymarc_reads_them_in_both_encodings() -> None:
    records, rows = compare(_chunk((start, start + 150, 1, 0.0)) for start in (0, 10_000))
    assert records == 300
    assert rows > 12_000


@needs_samples
@pytest.mark.parametrize("name", ["mrrc__10k_records.mrc", "Evergreen__hebrew.marc", "Evergreen__RDA_record_SCORE_Arias_for_bass.mrc"])
def test_what_is_written_back_from_the_long_table_has_the_same_bytes(name: str) -> None:
    content = (FOLDER / name).read_bytes()[:400_000]
    content = content[: content.rindex(b"\x1d") + 1]
    written = io.BytesIO()
    to_iso.write((from_long(batch.long()) for batch in scan(io.BytesIO(content))), written, charset="as_read")
    there, back = content.split(b"\x1d"), written.getvalue().split(b"\x1d")
    assert len(there) == len(back)
    same = sum(one == other for one, other in zip(there, back, strict=True) if one[9:10] == b"a" or one.isascii())
    assert same == sum(one[9:10] == b"a" or one.isascii() for one in there)
