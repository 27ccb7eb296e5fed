"""Tables between two tasks: whole or not there, and readable with their own key alone."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from include.engine import spool as spool_module
from include.engine.crypto.keys import MemoryKeyStore
from include.engine.errors import Tampered
from include.engine.spool import SpoolWriter, open_spool

ROWS = pa.table({"a": [1, 2, 3], "name": ["Åse", None, "Bo"]})
KEY = MemoryKeyStore().create("delivery", "d1")


def test_what_is_written_is_read_back_in_the_schemas_order(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "item.staged"
    with SpoolWriter(path, ROWS.schema, KEY) as spool:
        spool.write(ROWS.select(["name", "a"]))
        spool.write(ROWS.to_batches()[0])
        assert not path.exists(), "it has its name only when it is whole"
    assert spool.rows == 6
    with open_spool(path, KEY) as reader:
        assert reader.read_all() == pa.concat_tables([ROWS, ROWS])
    assert "Åse".encode() not in path.read_bytes()


def test_a_writer_that_fails_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), SpoolWriter(tmp_path / "item.staged", ROWS.schema, KEY) as spool:
        spool.write(ROWS)
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_missing_damaged_or_foreign_spool_is_told(tmp_path: Path) -> None:
    path = tmp_path / "item.staged"
    with pytest.raises(FileNotFoundError), open_spool(path, KEY):
        pass
    with SpoolWriter(path, ROWS.schema, KEY) as spool:
        spool.write(ROWS)
    with pytest.raises(Tampered), open_spool(path, MemoryKeyStore().create("delivery", "d1")) as reader:
        reader.read_all()
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(Tampered), open_spool(path, KEY) as reader:
        reader.read_all()


def test_a_large_batch_is_read_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool_module, "LARGEST", 10_000)
    rows = pa.table({"n": list(range(100)), "text": ["x" * 1_000] * 100})
    with SpoolWriter(tmp_path / "item.staged", rows.schema, KEY) as spool:
        spool.write(rows)
        spool.write(rows.slice(0, 0))
    with open_spool(tmp_path / "item.staged", KEY) as reader:
        parts = list(reader)
    assert pa.Table.from_batches(parts) == rows
    assert max(part.num_rows for part in parts) < 12
