"""Airflow's own login is the board's: by token or cookie, each role of its auth manager, and nobody without one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from include.engine.engine import ROOT
from tests.house import MASTER

pytestmark = pytest.mark.airflow
PARTNER = "name: {name}\ntimezone: Europe/Copenhagen\nstatus: live\nstaff: [{staff}]\nflows: {{}}\n"


def asked(home: Path, script: str, **more: str) -> dict[str, dict]:
    """What a script of this folder found, in an environment of its own below `home`."""
    (home / "partners").mkdir()
    (home / "partners" / "lindeby.yaml").write_text(PARTNER.format(name="Lindeby Biblioteker", staff="lise"))
    (home / "partners" / "havnsund.yaml").write_text(PARTNER.format(name="Havnsund Forskningsbibliotek", staff="henrik"))
    env = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "BINDERY"))}
    env |= MASTER | {
        "PYTHONPATH": str(ROOT),
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__API_AUTH__JWT_SECRET": "a secret of the tests, long enough to sign with",
        "AIRFLOW__API__SECRET_KEY": "another one",
        "BINDERY_HOME": str(home / "bindery"),
        "BINDERY_PARTNERS": str(home / "partners"),
        **more,
    }
    done = subprocess.run([sys.executable, "-m", f"tests.board.{script}"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-4000:]
    return json.loads(next(line for line in done.stdout.splitlines() if line.startswith("FOUND ")).removeprefix("FOUND "))


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict]:
    users = "anna:admin,otto:op,uma:user,lise:viewer"
    return asked(tmp_path_factory.mktemp("in_airflow"), "in_airflow", AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS=users)


def test_nobody_gets_in_without_airflows_login(found: dict[str, dict]) -> None:
    without = {key: value for key, value in found.items() if key.startswith("bearer ")}
    assert len(without) == 4
    assert all(value["status"] == 401 and value["names"] == [] for value in without.values())
    assert found["forged"]["status"] in {401, 403}


@pytest.mark.parametrize("how", ["bearer", "cookie"])
def test_who_may_change_connections_is_an_engineer_and_sees_every_partner(found: dict[str, dict], how: str) -> None:
    for name in ("anna", "otto"):
        assert found[f"{name} {how} /bindery/"] == {"status": 200, "names": ["Lindeby Biblioteker", "Havnsund Forskningsbibliotek"]}
        assert found[f"{name} {how} /bindery/partners/havnsund"]["status"] == 200


@pytest.mark.parametrize("how", ["bearer", "cookie"])
def test_staff_see_the_partner_that_names_them_and_others_nothing(found: dict[str, dict], how: str) -> None:
    assert found[f"lise {how} /bindery/"] == {"status": 200, "names": ["Lindeby Biblioteker"]}
    assert found[f"lise {how} /bindery/partners/lindeby"]["status"] == 200
    assert found[f"lise {how} /bindery/partners/havnsund"] == {"status": 404, "names": []}
    for name in ("uma", "nobody"):
        assert found[f"{name} {how} /bindery/"]["names"] == []
        assert found[f"{name} {how} /bindery/partners/lindeby"] == {"status": 404, "names": []}


def test_a_role_for_a_librarys_staff_sees_their_partner_and_nothing_of_airflows(tmp_path: Path) -> None:
    manager = "airflow.providers.fab.auth_manager.fab_auth_manager.FabAuthManager"
    found = asked(tmp_path, "in_fab", AIRFLOW__CORE__AUTH_MANAGER=manager)
    both = ["Lindeby Biblioteker", "Havnsund Forskningsbibliotek"]
    assert found["otto /bindery/"] == {"status": 200, "names": both}
    assert found["lise /bindery/"] == {"status": 200, "names": both[:1]}
    assert found["lise /bindery/partners/lindeby"]["status"] == 200
    assert found["lise /bindery/partners/havnsund"] == {"status": 404, "names": []}
    assert {found[f"lise {address}"]["status"] for address in ("/api/v2/dags", "/api/v2/connections")} == {403}
    assert found["vera /bindery/"] == {"status": 200, "names": []}, "a Viewer whom no partner names"
