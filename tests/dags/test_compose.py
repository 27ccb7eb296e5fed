"""docker-compose.yml: what Debian's docker-compose makes of it, where there is one."""

from __future__ import annotations

import os
import re
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


def test_a_setting_that_the_documentation_has_reaches_airflows_services() -> None:
    page = (ROOT / "docs" / "running.md").read_text(encoding="utf-8").partition("## Every setting")[2].partition("For the compose file")[0]
    relations = (ROOT / "docs" / "flows" / "adhl_relations.md").read_text(encoding="utf-8")
    table = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `BINDERY_")]
    named = {name for text in (*table, relations) for name in re.findall(r"BINDERY_[A-Z_]+", text)}
    other = re.compile(
        r"BINDERY_(OAI_|CIRCULATION_|JOURNAL_|DIE_AT|STOP_AT|WAIT_AT|ONCE)"
    )  # the sidecar's, the provider's, the crash tests'
    given = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["x-bindery"]["environment"]
    assert sorted(name for name in named - set(given) if not other.match(name)) == []


def test_one_that_is_not_set_is_not_there_at_all_and_one_that_is_reaches_every_service_of_airflow() -> None:
    made = _config(dict.fromkeys(SECRETS, "c2VjcmV0") | {"BINDERY_ALERTS": "drift@example.org"})
    services = yaml.safe_load(made.stdout)["services"]
    for name in ("airflow-api-server", "airflow-scheduler", "airflow-dag-processor", "airflow-triggerer"):
        found = services[name]["environment"]
        assert (found["BINDERY_ALERTS"], found.get("BINDERY_DISPATCH_SECONDS")) == ("drift@example.org", None)


def test_what_the_composition_asks_for_is_in_the_documentation() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
    asked = set(re.findall(r"\$\{([A-Z0-9_]+)", (ROOT / "docker-compose.yml").read_text()))
    assert sorted(name for name in asked if name not in pages) == []


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
