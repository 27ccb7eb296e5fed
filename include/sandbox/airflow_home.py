"""Airflow's own folder: its configuration, and its database with our pools. Made once for each release of Airflow, and copied after that.

`airflow db migrate` and `airflow pools import` take nine CPU seconds, whoever starts a demo or a test. What they leave does not depend on who
asked: so it is kept in `.bindery/airflow/`, which `make clean` removes. A copy has secrets of its own.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
POOLS = ROOT / "dags" / "house" / "pools.json"
KEPT = ROOT / ".bindery" / "airflow"
DATABASE, SETTINGS = "airflow.db", "airflow.cfg"
_SECRETS = re.compile(r"^(fernet_key|jwt_secret|secret_key) = .*$", re.MULTILINE)


def prepare(home: Path, env: Mapping[str, str], kept: Path = KEPT) -> None:
    """Put a migrated database with our pools, and a configuration, into the empty folder `home`; `env` is Airflow's, for `home`.

    RuntimeError, with Airflow's words, when it cannot make them.
    """
    home.mkdir(parents=True, exist_ok=True)
    folder = kept / _release()
    if not folder.exists():
        _make(env)
        _keep(home, folder)
        return
    shutil.copyfile(folder / DATABASE, home / DATABASE)
    settings = (folder / SETTINGS).read_text(encoding="utf-8").replace("{KEPT}", str(home))
    (home / SETTINGS).touch(mode=0o600)
    (home / SETTINGS).write_text(_SECRETS.sub(_fresh, settings), encoding="utf-8")


def _release() -> str:
    """Names all that the database depends on: Airflow's release, and our pools."""
    return f"{version('apache-airflow-core')}-{hashlib.sha256(POOLS.read_bytes()).hexdigest()[:8]}"


def _make(env: Mapping[str, str]) -> None:
    airflow = str(Path(sys.executable).with_name("airflow"))
    for preparation in (["db", "migrate"], ["pools", "import", str(POOLS)]):
        done = subprocess.run([airflow, *preparation], env=env, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"airflow {' '.join(preparation)} failed:\n{done.stdout[-2000:]}{done.stderr[-2000:]}")


def _keep(home: Path, folder: Path) -> None:
    """A copy without secrets, there as a whole or not at all. One that somebody else has put there meanwhile is as good."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    making = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".making-"))
    try:
        shutil.copyfile(home / DATABASE, making / DATABASE)
        settings = _SECRETS.sub(r"\1 = ", (home / SETTINGS).read_text(encoding="utf-8"))
        (making / SETTINGS).write_text(settings.replace(str(home), "{KEPT}"), encoding="utf-8")
        making.rename(folder)
    except OSError:
        if not folder.exists():
            raise
    finally:
        shutil.rmtree(making, ignore_errors=True)


def _fresh(found: re.Match[str]) -> str:
    """A secret in the place of the empty one; a key of Fernet's is 32 bytes in URL-safe base64."""
    return f"{found[1]} = {base64.urlsafe_b64encode(secrets.token_bytes(32)).decode()}"
