"""Parquet files of records: what is read from them again is what the records are."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from include.engine.errors import SettingsError
from include.marc import parquet
from include.marc.batch import Batch
from include.marc.build import one_by_one
from include.marc.iso2709 import scan
from include.marc.long import LONG, from_long
from tests.marc.iso import everything, iso

CONTENT = b"".join(iso(f"{number:05}") for number in range(2_000))


def test_records_come_back_from_a_long_file_as_they_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parquet, "ROW_GROUP", 5_000)
    written = parquet.write_long(scan(io.BytesIO(CONTENT), block=20_000), tmp_path / "long.parquet")
    assert (written.records, written.rows) == (2_000, 2_000 * 9)
    file = pq.ParquetFile(tmp_path / "long.parquet")
    assert file.metadata.num_row_groups == 4
    assert one_by_one(from_long(file.read())) == everything(CONTENT).records
    assert [field.nullable for field in file.schema_arrow] == [False] * len(LONG)


def test_a_wide_file_has_a_row_for_each_record(tmp_path: Path) -> None:
    spec = {"number": "001", "title": "245$a | trim punctuation", "isbn[]": "020$a"}
    parquet.write_wide(scan(io.BytesIO(CONTENT)), tmp_path / "wide.parquet", spec)
    found = pq.read_table(tmp_path / "wide.parquet").to_pylist()
    assert len(found) == 2_000
    assert found[7] == {"number": "00007", "title": "Æbler og pærer", "isbn": ["9788700000002"]}
    with pytest.raises(SettingsError, match="title"):
        parquet.write_wide(scan(io.BytesIO(CONTENT)), tmp_path / "bad.parquet", {"title": "245 a"})


def test_no_records_give_a_file_with_all_columns(tmp_path: Path) -> None:
    parquet.write_long(scan(io.BytesIO(b"")), tmp_path / "none.parquet")
    table = pq.read_table(tmp_path / "none.parquet")
    assert (table.num_rows, table.column_names) == (0, LONG.names)


def test_a_file_that_was_not_finished_is_not_there(tmp_path: Path) -> None:
    def broken() -> Iterator[Batch]:
        yield from scan(io.BytesIO(CONTENT))
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        parquet.write_long(broken(), tmp_path / "long.parquet")
    assert list(tmp_path.iterdir()) == []
