"""The sidecar's log is JSON, line by line, and says nothing of who somebody is."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator

import pytest

from connectors.circulation import logs
from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.profile import Profile
from connectors.circulation.terminals import Terminal
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import PASSWORD, Raw, running, terminals

NOW = "20261120    130000"
NAMES = ("", "bindery", logs.MESSAGES)


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    found = [(logging.getLogger(name), logging.getLogger(name).level, logging.getLogger(name).handlers[:]) for name in NAMES]
    yield
    for logger, level, handlers in found:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def _lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def test_an_error_tells_its_place_and_none_of_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin()
    card = "010190-1234"
    try:
        raise ValueError(f"no such card {card}")
    except ValueError:
        logging.getLogger("bindery.circulation").exception("a message of %s could not be answered", card)
    [line] = _lines(capsys.readouterr().err)
    assert line["level"] == "error" and line["what"] == "a message of ••••••-•••• could not be answered"
    assert line["error"] == "ValueError" and line["said"] == "no such card ••••••-••••"
    assert [str(one).rpartition(" ")[2] for one in line["where"]] == [sys._getframe().f_code.co_name]  # type: ignore[attr-defined]


def test_what_silenced_our_loggers_before_is_undone(capsys: pytest.CaptureFixture[str]) -> None:
    ours = logging.getLogger("bindery.circulation")
    ours.disabled = True
    ours.setLevel(logging.CRITICAL)
    logs.begin()
    ours.error("heard")
    assert [line["what"] for line in _lines(capsys.readouterr().err)] == ["heard"]


@pytest.mark.parametrize("messages", [False, True])
def test_a_kiosk_s_lines_are_logged_only_when_asked_for_and_masked(
    library: Embedded, clock: Clock, capsys: pytest.CaptureFixture[str], messages: bool
) -> None:
    logs.begin(messages=messages)
    with running(library, now=clock) as server, Raw(server.port) as kiosk:
        kiosk.log_in()
        kiosk.ask(f"63001{NOW}  Y       AOlindeby|AAc1|AC|AD1234|")
    text = capsys.readouterr().err
    found = [str(line["what"]) for line in _lines(text) if line["from"] == logs.MESSAGES]
    assert "1234" not in text and "Reader One" not in text and "secret" not in text
    assert [line.split(" and was")[0] for line in found] == (
        ["kiosk1 asked 9300CNkiosk1|CO****|", f"kiosk1 asked 63001{NOW}  Y       AOlindeby|AAx#|AC|AD****|"] if messages else []
    )


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_profile_s_own_delimiter_is_spoken_from_the_login_on_and_hides_no_secret_from_the_mask(
    library: Embedded, clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    logs.begin(messages=True)
    with running(library, now=clock, profile=Profile.model_validate({"framing": {"delimiter": "^"}})) as server, Raw(server.port) as kiosk:
        assert kiosk.ask("9300CNkiosk1^COsecret^") == "941"
        assert "^AEReader One^" in kiosk.ask(f"63001{NOW}  Y       AOlindeby^AAc1^AC^AD1234^")
    text = capsys.readouterr().err
    assert "kiosk1 asked 9300CNkiosk1^CO****^" in text and "AD****^" in text
    assert "AD1234" not in text and "Reader One" not in text and "secret" not in text


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_why_a_login_was_refused_is_said_and_not_what_was_typed(library: Embedded, capsys: pytest.CaptureFixture[str]) -> None:
    logs.begin()
    known = terminals(far=Terminal(password=PASSWORD, addresses=["10.0.0.0/8"]))
    lines = ("9300CNkiosk1|COhunter2|", "9300CNfar|COsecret|", "9300CNguessed|COhunter2|")
    with running(library, known=known) as server, Raw(server.port) as one, Raw(server.port) as two, Raw(server.port) as three:
        for kiosk, line in zip((one, two, three), lines, strict=True):
            kiosk.send(line.encode() + b"\r")
        assert [kiosk.read() for kiosk in (one, two, three)] == [b"940"] * 3
    text = capsys.readouterr().err
    assert {line["what"] for line in _lines(text) if line["level"] == "warning"} == {
        "a login of terminal kiosk1 from 127.0.0.1 was refused: another password",
        "a login of terminal far from 127.0.0.1 was refused: that is none of its addresses",
        "a login from 127.0.0.1 was refused: no terminal is called so",
    }
    assert "hunter2" not in text and "guessed" not in text and "secret" not in text
