"""The lake in DuckDB: each table a view by its name, all of them at pinned versions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pyarrow import fs

from include.engine.lake.read import AS_MADE, Version, dataset, pinned
from include.engine.lake.rows import session
from include.engine.lake.store import LOG
from include.engine.lake.table import Lake, exists


def tables(lake: Lake) -> list[str]:
    """Names of the tables in a lake on a local disk or object storage, sorted."""
    root = str(lake.root).removeprefix("file://")
    if "://" in root:
        from deltalake.fs import DeltaStorageHandler

        files = fs.PyFileSystem(DeltaStorageHandler(root, lake.options or {}))
        found = [info.path for info in files.get_file_info(fs.FileSelector("", recursive=True)) if f"/{LOG}/" in info.path]
        return sorted({path.split("/")[0] for path in found})
    return sorted(folder.parent.name for folder in Path(root).glob(f"*/{LOG}")) if Path(root).is_dir() else []


def register(connection: Any, lake: Lake, names: Sequence[str] | None = None, versions: Mapping[str, Version] | None = None) -> Any:
    """Make the lake's tables (`names`, or all) known to a DuckDB connection, and return it.

    The rows are read through pyarrow with the columns and filters that a query needs; no DuckDB extension is used. `versions` pins single
    tables; the others stand at the versions that readers get by the ledger, or at their newest where there is none.
    """
    rest: Version = "newest" if lake.ledger is None else AS_MADE
    pins: dict[str, Version] = {**pinned(lake), **(versions or {})}
    for name in names if names is not None else tables(lake):
        if exists(lake, name):
            connection.register(name, dataset(lake, name, version=pins.get(name, rest)))
    return connection


def connect(lake: Lake, names: Sequence[str] | None = None, versions: Mapping[str, Version] | None = None) -> Any:
    """A new DuckDB connection in memory with the lake's tables; close it, or use it as a context."""
    return register(session(), lake, names, versions)
