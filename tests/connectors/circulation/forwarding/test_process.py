"""The sidecar as a process before a Koha that goes away and comes back: what kiosks, watchers and staff see."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

from connectors.circulation.ils import FILE, Ils
from include.engine import clock
from include.engine.credentials import EnvironmentCredentials
from include.engine.errors import MissingCredential, SettingsError
from include.sandbox.servers import koha
from include.sandbox.servers.asgi import serving
from include.sandbox.servers.ils import Faults
from include.sandbox.servers.ports import free_port
from tests.connectors.circulation.remote.library import small_library
from tests.connectors.circulation.running import Raw
from tests.connectors.circulation.test_serving import Serving, environment, run

TERMINALS = {"institution": "demo", "timezone": "Europe/Copenhagen", "terminals": {"k1": {"password": "secret", "branch": "main"}}}


def _until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not true():
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.fixture
def env(tmp_path: Path) -> Iterator[dict[str, str]]:
    found = environment(tmp_path)
    yield found | {"AIRFLOW_CONN_KOHA": json.dumps({"conn_type": "http", "login": "bindery", "password": "secret"})}


def test_kiosks_go_on_and_staff_see_what_came_of_it(env: dict[str, str], tmp_path: Path) -> None:
    library = small_library(clock.now)
    app = koha.Koha(library, checkins=True, faults=Faults()).application()
    home = Path(env["BINDERY_HOME"]) / "circulation"
    (tmp_path / "library.yaml").write_text(yaml.safe_dump({"terminals": TERMINALS}))
    assert run(env, "load", str(tmp_path / "library.yaml")).returncode == 0
    port = free_port()
    with serving(app, port=port):
        settings = {
            "system": "koha", "koha": {"url": f"http://127.0.0.1:{port}", "connection": "koha", "checkin": {"by": "rest"}},
            "away": {"breaker": {"failures": 1, "probe_seconds": 0.2}},
        }  # fmt: skip
        (home / "ils.yaml").write_text(yaml.safe_dump(settings))
        sidecar = Serving(env)
        with Raw(sidecar.ports["sip2"]) as kiosk:
            assert kiosk.ask("9300CNk1|COsecret|") == "941"
            assert "AEReader One|" in kiosk.ask(f"63001{' ' * 18}  Y       AO|AAc1|AD1234|")
            assert _borrow(kiosk, "c1", "b1").startswith("121")
    try:
        with Raw(sidecar.ports["sip2"]) as kiosk:  # Koha is away now
            kiosk.ask("9300CNk1|COsecret|")
            assert "Noted; the library system answers later" in _borrow(kiosk, "c2", "b2")
            assert _borrow(kiosk, "c3", "d1").startswith("121")
            assert kiosk.ask("9900802.00").startswith("98Y")
        told = json.loads(sidecar.get("/health"))
        assert (told["online"], told["library_system"], told["waiting"]) == (True, False, 2)
        with serving(app, port=port):
            _until(lambda: json.loads(sidecar.get("/health"))["waiting"] == 0)
            assert "circulation_library_system_up 1.0" in sidecar.get("/metrics")
            assert "circulation_journal_entries 0.0" not in sidecar.get("/metrics")
        assert library.lent == [("c1", "b1"), ("c2", "b2")]
        shown = json.loads(sidecar.get("/conflicts"))["conflicts"]
        assert [(one["item"], one["card"], one["reason"], one["title"]) for one in shown] == [("d1", "…c3", "CARD_EXPIRED", "")]
        (tmp_path / "conflicts.csv").touch(mode=0o644)
        done = run(env, "conflicts", "--csv", str(tmp_path / "conflicts.csv"), "--cards", "--language", "da")
        assert "1 conflicts, 0 transactions wait" in done.stdout, done.stderr
        file = tmp_path / "conflicts.csv"
        assert "c3" in file.read_text("utf-8-sig") and "Kortet er udløbet" in file.read_text() and file.stat().st_mode & 0o077 == 0
        assert run(env, "conflicts", "--close", "9999").returncode != 0
        assert run(env, "conflicts", "--close", shown[0]["number"]).returncode == 0
        _until(lambda: json.loads(sidecar.get("/conflicts"))["conflicts"] == [])
    finally:
        assert sidecar.end() == 0


def _borrow(kiosk: Raw, card: str, item: str) -> str:
    stamp = clock.now().astimezone(ZoneInfo("Europe/Copenhagen")).strftime("%Y%m%d    %H%M%S")
    return kiosk.ask(f"11NN{stamp}{' ' * 18}AO|AA{card}|AB{item}|AC|")


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"system": "koha"}, "needs a part koha"),
        ({"system": "alma"}, "'koha' or 'folio'"),
        ({"system": "koha", "koha": {"url": "koha.example.org", "connection": "koha", "checkin": {"by": "rest"}}}, "koha.url"),
        (
            {"system": "koha", "koha": {"url": "https://koha.example.org", "connection": "nobody", "checkin": {"by": "rest"}}},
            "AIRFLOW_CONN_NOBODY",
        ),
        (
            {
                "system": "koha",
                "koha": {"url": "https://k.example.org", "connection": "koha", "checkin": {"by": "rest"}},
                "away": {"cards": "["},
            },
            "away.cards",
        ),
    ],
)
def test_settings_that_cannot_be_used_are_told(env: dict[str, str], tmp_path: Path, settings: dict[str, object], words: str) -> None:
    (tmp_path / FILE).write_text(yaml.safe_dump(settings))
    with pytest.raises((SettingsError, MissingCredential)) as error:
        Ils.load(tmp_path / FILE).remote(EnvironmentCredentials(env))
    assert words in str(error.value)
