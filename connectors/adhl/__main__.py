"""ADHL's relations without Airflow: python -m connectors.adhl release | list | check | serve | ask

Settings come from the environment, as for every process of Bindery: BINDERY_HOME, BINDERY_LEDGER, BINDERY_PARTNERS, AIRFLOW_CONN_BINDERY_MASTER,
and BINDERY_ADHL_*. `serve` needs none of them but the folder of the releases.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from include.engine.errors import BinderyError


def main(arguments: list[str] | None = None) -> int:
    """Exit status 0; 1 for an error, which is told on standard error; 2 for a damaged release."""
    asked = _parser().parse_args(arguments)
    try:
        match asked.work:
            case "release":
                return _release(even_unchanged=asked.even_unchanged)
            case "serve":
                return _serve(asked.relations, asked.host, asked.port)
            case "ask":
                return _ask(asked.url, asked.pid, asked.records)
            case _:
                return _look(asked.relations, check=asked.work == "check")
    except BinderyError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    home = Path(os.environ.get("BINDERY_HOME") or Path(__file__).resolve().parents[2] / ".bindery")
    parser = argparse.ArgumentParser(prog="python -m connectors.adhl", description=(__doc__ or "").split("\n\n")[0])
    works = parser.add_subparsers(dest="work", required=True)
    release = works.add_parser("release", help="make a release, unless the lake is unchanged")
    release.add_argument("--even-unchanged", action="store_true", help="make one all the same")
    serve = works.add_parser("serve", help="answer adhlRequest, topTenRequest and pingRequest")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: %(default)s)")
    serve.add_argument("--port", type=int, default=8094, help="port; 0 for any free one (default: %(default)s)")
    for one in (
        serve,
        works.add_parser("list", help="all releases, oldest first"),
        works.add_parser("check", help="every file against its check sum"),
    ):
        one.add_argument("--relations", type=Path, default=home / "adhl_relations", help="folder of the releases")
    ask = works.add_parser("ask", help="ask a service, ours or DBC's, what is related to titles")
    ask.add_argument("url")
    ask.add_argument("pid", nargs="+", help="such as 870970-basis:29938768")
    ask.add_argument("--records", type=int, default=20)
    return parser


def _release(*, even_unchanged: bool) -> int:
    from connectors import flow_models
    from connectors.adhl.relations.house import house_of
    from connectors.adhl.relations.release import release
    from connectors.adhl.relations.settings import Settings
    from include.engine.credentials import EnvironmentCredentials
    from include.engine.engine import Engine

    engine = Engine.open(EnvironmentCredentials(), flow_models())
    print(release(house_of(engine, Settings.of_environment(os.environ)), even_unchanged=even_unchanged))
    return 0


def _serve(relations: Path, host: str, port: int) -> int:
    from connectors.adhl.service.serve import serve

    try:
        serve(relations, host, port)
    except OSError as error:
        print(f"{host}:{port} cannot be listened on: {error.strerror}", file=sys.stderr)
        return 1
    return 0


def _look(relations: Path, *, check: bool) -> int:
    from connectors.adhl.relations.manifest import read_manifest
    from include.engine.snapshots import differences, latest, snapshots

    newest = latest(relations, read_manifest)
    found: list[str] = []
    for manifest in snapshots(relations, read_manifest):
        mark = "  newest" if newest and newest.snapshot == manifest.snapshot else ""
        print(
            f"{manifest.snapshot}  {manifest.rows['relation']:>12,} relations {manifest.rows['title']:>10,} titles  edition {manifest.edition}{mark}"
        )
        found += [f"{manifest.snapshot}: {one}" for one in differences(relations / manifest.path, manifest.files)] if check else []
    print("\n".join(found) or ("Every file is as it was made." if check else ""), end="\n" if found or check else "")
    return 2 if found else 0


def _ask(url: str, pids: list[str], records: int) -> int:
    from connectors.adhl.client import Client

    with Client(url) as client:
        for one in client.named(pids, records):
            print(f"{one.pid}  {one.title}{f' / {one.creator}' if one.creator else ''}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
