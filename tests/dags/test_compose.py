"""docker-compose.yml: what Debian's docker-compose makes of it, where there is one."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
import yaml

from include.engine.engine import ROOT

SECRETS = ("POSTGRES_PASSWORD", "AIRFLOW_FERNET_KEY", "AIRFLOW_JWT_SECRET", "AIRFLOW_SECRET_KEY", "BINDERY_MASTER_KEY")


def _config(environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    if shutil.which("docker-compose") is None:
        pytest.skip("docker-compose is not installed (Debian package docker-compose)")
    plain = {name: value for name, value in os.environ.items() if name not in SECRETS}
    return subprocess.run(["docker-compose", "config"], cwd=ROOT, env=plain | environment, capture_output=True, text=True, check=False)


def test_with_its_secrets_it_is_a_valid_composition_of_airflows_services_and_postgresql() -> None:
    made = _config(dict.fromkeys(SECRETS, "c2VjcmV0"))
    assert made.returncode == 0, made.stderr
    services = yaml.safe_load(made.stdout)["services"]
    assert {"postgres", "airflow-init", "airflow-api-server", "airflow-scheduler", "airflow-dag-processor"} <= set(services)
    homes = {name: service["environment"]["BINDERY_HOME"] for name, service in services.items() if name.startswith("airflow")}
    assert set(homes.values()) == {"/var/bindery"}


@pytest.mark.parametrize("missing", SECRETS)
def test_without_a_secret_it_is_refused_and_the_secret_is_named(missing: str) -> None:
    made = _config({name: "c2VjcmV0" for name in SECRETS if name != missing})
    assert made.returncode != 0
    assert missing in made.stderr


def test_no_secret_has_a_default() -> None:
    text = (ROOT / "docker-compose.yml").read_text()
    for secret in SECRETS:
        assert f"${{{secret}:-" not in text
        assert f"${{{secret}:?" in text
