"""Make and inspect BI feeds without Airflow: python -m connectors.bi make | show | list | check | prune

Settings come from the environment, as for every process of Bindery: BINDERY_HOME, BINDERY_LEDGER, BINDERY_PARTNERS, AIRFLOW_CONN_BINDERY_MASTER.
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

from connectors.bi.feed import feed
from connectors.bi.house import Settings, house_of
from connectors.bi.manifest import Manifest, differences
from connectors.bi.snapshot import latest, only_one, prune, snapshots
from include.engine import clock
from include.engine.errors import BinderyError


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0; 1 for an error, which is told on standard error; 2 for a damaged snapshot."""
    asked = _parser().parse_args(arguments)
    try:
        given = {name: value for name, value in vars(asked).items() if name in ("keep", "keep_days") and value is not None}
        settings = replace(Settings.of_environment(os.environ), **given)
        if asked.work == "make":
            return _make(settings, even_unchanged=asked.even_unchanged)
        root = asked.home / "bi"
        if asked.work == "list":
            return _list(root)
        if asked.work == "prune":
            with only_one(root, settings.lock_wait_s):
                print("\n".join(prune(root, keep=settings.keep, keep_days=settings.keep_days, now=clock.now())))
            return 0
        manifest = _named(root, asked.snapshot)
        if manifest is None:
            print("There is no such snapshot. See: python -m connectors.bi list", file=sys.stderr)
            return 1
        return _check(root, manifest) if asked.work == "check" else _show(root, manifest)
    except BinderyError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    home = Path(os.environ.get("BINDERY_HOME") or Path(__file__).resolve().parents[2] / ".bindery")
    parser = argparse.ArgumentParser(prog="python -m connectors.bi", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--home", type=Path, default=home, help="Bindery's folder, for all but make (default: BINDERY_HOME)")
    parser.add_argument("--keep", type=int, help="snapshots kept (default: BINDERY_BI_KEEP, or 7)")
    parser.add_argument(
        "--keep-days", type=int, default=Settings.keep_days, help="days that one but the newest is kept (default: %(default)s)"
    )
    works = parser.add_subparsers(dest="work", required=True)
    make = works.add_parser("make", help="make a snapshot, unless the lake is unchanged")
    make.add_argument("--even-unchanged", action="store_true", help="make one all the same")
    for name, words in {"show": "what is in a snapshot, and how to read it", "check": "hold every file against its check sum"}.items():
        works.add_parser(name, help=words).add_argument("snapshot", nargs="?", help="default: the newest")
    works.add_parser("list", help="all snapshots, oldest first")
    works.add_parser("prune", help="remove surplus snapshots")
    return parser


def _make(settings: Settings, *, even_unchanged: bool) -> int:
    from connectors import flow_models
    from include.engine.credentials import EnvironmentCredentials
    from include.engine.engine import Engine

    print(feed(house_of(Engine.open(EnvironmentCredentials(), flow_models()), settings), even_unchanged=even_unchanged))
    return 0


def _named(root: Path, snapshot: str | None) -> Manifest | None:
    if snapshot is None:
        return latest(root)
    return next((manifest for manifest in snapshots(root) if manifest.snapshot == snapshot), None)


def _list(root: Path) -> int:
    newest = latest(root)
    for manifest in snapshots(root):
        mark = "  newest" if newest and newest.snapshot == manifest.snapshot else ""
        print(f"{manifest.snapshot}  {manifest.rows['fact_loan']:>12,} events  {len(manifest.measures):>4} libraries{mark}")
    return 0


def _show(root: Path, manifest: Manifest) -> int:
    folder = root / manifest.path
    print(f"{manifest.snapshot}, made {manifest.made_at}, from the lake's versions {manifest.lake_versions}\n{folder}\n")
    for table, rows in manifest.rows.items():
        files = manifest.files_of(table)
        print(f"{table:<14}{rows:>12,} rows {len(files):>5} files {sum(file.bytes for file in files) / 1e6:>9.1f} MB")
    print(f"\n{'library':<14}{'loans':>12}{'renewals':>12}{'returns':>12}")
    for partner, one in manifest.measures.items():
        print(f"{partner:<14}{one['loans']:>12,}{one['renewals']:>12,}{one['returns']:>12,}")
    print(f"\nThree lines of DuckDB:\n{duckdb_lines(folder)}\n\nand of pandas:\n{pandas_lines(folder)}")
    return 0


def duckdb_lines(folder: Path) -> str:
    """How to count a month's loans by kind of material with DuckDB."""
    facts, materials = f"{folder}/fact_loan/**/*.parquet", f"{folder}/dim_material/*.parquet"
    return f"""import duckdb
loans = duckdb.sql("FROM read_parquet('{facts}', hive_partitioning = true) JOIN '{materials}' USING (material_type)")
print(loans.filter("month = '2026-03'").aggregate("name, sum(loans) AS loans").order("loans DESC"))"""


def pandas_lines(folder: Path) -> str:
    """The same with pandas."""
    return f"""import pandas as pd
loans = pd.read_parquet("{folder}/fact_loan", filters=[("month", "==", "2026-03")])
print(loans.groupby("material_type")["loans"].sum().sort_values(ascending=False))"""


def _check(root: Path, manifest: Manifest) -> int:
    found = differences(root / manifest.path, manifest)
    print("\n".join(found) or f"{manifest.snapshot}: {len(manifest.files)} files, each as it was made.")
    return 2 if found else 0


if __name__ == "__main__":
    sys.exit(main())
