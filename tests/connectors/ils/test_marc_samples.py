"""Every file of the public MARC samples, good and bad, where they are at hand: each record is accounted for, and read as pymarc reads it."""

from __future__ import annotations

import io
import os
from pathlib import Path

import pymarc
import pytest

from connectors.ils.iso2709 import BETWEEN
from connectors.ils.marc_decode import Unreadable
from connectors.ils.marc_reader import decoded
from include.engine.reasons import reason
from tests.connectors.ils.marc_records import profile

FOLDER = Path(os.environ.get("MARC_SAMPLES", Path(__file__).parents[4] / "shared" / "samples" / "marc"))
FILES = sorted(FOLDER.glob("*")) if FOLDER.is_dir() else []
needs_samples = pytest.mark.skipif(not FILES, reason="the public MARC samples are not at hand (MARC_SAMPLES names their folder)")


@needs_samples
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_each_record_of_a_sample_is_published_repaired_or_set_aside_with_its_bytes(file: Path) -> None:
    content = file.read_bytes()
    at = 0
    for piece, outcome in decoded(io.BytesIO(content), profile().table("bibliographic"), file.name):
        assert not content[at : piece.offset].strip(BETWEEN), "only blanks lie between records"
        assert piece.raw == content[piece.offset : piece.offset + len(piece.raw)]
        at = piece.offset + len(piece.raw)
        for code in [outcome.reason] if isinstance(outcome, Unreadable) else outcome.repairs:
            assert reason(code).kind == "record"
    assert not content[at:].strip(BETWEEN)


@needs_samples
@pytest.mark.parametrize(
    "name", ["pymarc__test.dat", "pymarc__marc.dat", "Evergreen__oss.marc", "Evergreen__hebrew.marc", "Evergreen__lul_fre_100.mrc"]
)
def test_clean_records_are_read_as_pymarc_reads_them(name: str) -> None:
    content = (FOLDER / name).read_bytes()
    compared = 0
    for piece, outcome in decoded(io.BytesIO(content), profile().table("bibliographic"), name):
        if isinstance(outcome, Unreadable) or outcome.repairs:
            continue
        theirs = pymarc.Record(piece.raw, to_unicode=True, hide_utf8_warnings=True)
        ours = outcome.record
        assert [field.tag for field in ours.fields] == [field.tag for field in theirs.fields]
        for mine, other in zip(ours.fields, theirs.fields, strict=True):
            if mine.data is not None:
                assert mine.data == other.data
            else:
                assert mine.subfields == [(subfield.code, subfield.value) for subfield in other.subfields]
        compared += 1
    assert compared >= 10
