"""Staff close what a machine did while it was alone and the library's own store does not agree with."""

from __future__ import annotations

import time
from pathlib import Path

import yaml

from tests.connectors.circulation.running import Raw
from tests.connectors.circulation.test_serving import Serving, environment, run

LIBRARY = {
    "terminals": {"institution": "demo", "timezone": "Europe/Copenhagen", "terminals": {"k1": {"password": "secret", "branch": "main"}}}
}


def test_a_conflict_of_the_own_store_is_shown_and_closed(tmp_path: Path) -> None:
    env = environment(tmp_path)
    (tmp_path / "library.yaml").write_text(yaml.safe_dump(LIBRARY))
    assert run(env, "load", str(tmp_path / "library.yaml")).returncode == 0
    sidecar = Serving(env)
    try:
        with Raw(sidecar.ports["sip2"]) as kiosk:
            kiosk.ask("9300CNk1|COsecret|")
            kiosk.ask("09Y20261120    12000020261120    120000APmain|AO|ABX1|AC|")
        file = tmp_path / "conflicts.csv"
        assert "1 conflicts" in run(env, "conflicts", "--csv", str(file)).stdout
        number, _, _, _, what, _, item, _, machine, system, *_ = file.read_text("utf-8-sig").splitlines()[1].split(",", 10)
        assert (what, item, machine, system) == ("checkin", "X1", "ok", '"no')
        shown = run(env | {"COLUMNS": "80"}, "conflicts").stdout.splitlines()
        assert ["item", "X1"] in [line.split() for line in shown]
        assert run(env, "conflicts", "--close", number).returncode == 0
        end = time.monotonic() + 60
        while "0 conflicts" not in run(env, "conflicts").stdout:
            assert time.monotonic() < end
    finally:
        assert sidecar.end() == 0
