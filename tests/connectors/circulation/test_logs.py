"""The sidecar's log is JSON, line by line, and says nothing of who somebody is."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from connectors.circulation import logs
from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.journal import JournalFailed
from connectors.circulation.profile import Profile
from connectors.circulation.terminals import Terminal
from include.engine import faults
from include.engine.engine import ROOT
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import PASSWORD, Raw, running, terminals

NOW = "20261120    130000"
NAMES = ("", "bindery", logs.MESSAGES)


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    found = [(logging.getLogger(name), logging.getLogger(name).level, logging.getLogger(name).handlers[:]) for name in NAMES]
    yield
    for logger, level, handlers in found:
        logger.setLevel(level)
        logger.handlers[:] = handlers


def _lines(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


CARD = "010190-1234"
TEXT = f"Reader One has no card {CARD}"


def _logged(error: Exception, capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    logs.begin()
    try:
        try:
            raise KeyError(TEXT)
        except KeyError as missing:
            raise error from missing
    except Exception:
        logging.getLogger("bindery.circulation").exception("a message of %s could not be answered", CARD)
    [line] = _lines(capsys.readouterr().err)
    return line


def test_a_fault_that_nobody_foresaw_tells_its_kind_and_places_and_none_of_its_text(capsys: pytest.CaptureFixture[str]) -> None:
    line = _logged(ValueError(TEXT), capsys)
    assert line["level"] == "error" and line["what"] == "a message of ••••••-•••• could not be answered"
    told = str(line["fault"])
    assert line["error"] == "ValueError" and told.startswith("ValueError (tests/connectors/circulation/test_logs.py:")
    assert "in _logged), after KeyError (" in told
    assert "Reader One" not in str(line) and "said" not in line


def test_an_error_of_ours_tells_its_words_masked_and_not_those_of_what_led_to_it(capsys: pytest.CaptureFixture[str]) -> None:
    line = _logged(JournalFailed(f"the disk of {CARD} is full"), capsys)
    assert str(line["said"]).startswith("the disk of ••••••-•••• is full")
    assert "Reader One" not in str(line)


def test_who_looks_for_a_fault_may_see_its_text(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(faults.SHOWN, "shown")
    assert str(_logged(ValueError(TEXT), capsys)["fault"]).count(TEXT) == 2


def test_what_the_event_loop_says_of_a_task_that_nobody_waited_for_has_no_text_either(capsys: pytest.CaptureFixture[str]) -> None:
    async def lost() -> None:
        raise ValueError(TEXT)

    async def forgets() -> None:
        task = asyncio.create_task(lost())
        await asyncio.wait([task])

    gc.collect()  # what other tests left behind is none of this one's lines
    logs.begin()
    asyncio.run(forgets())
    gc.collect()
    [line] = _lines(capsys.readouterr().err)
    assert (line["what"], line["error"]) == ("Task exception was never retrieved", "ValueError")
    assert "Reader One" not in str(line)


def test_what_nobody_catches_ends_the_process_or_a_thread_without_its_text() -> None:
    program = f"""
import threading
from connectors.circulation import logs
logs.begin()
def lost(): raise ValueError({TEXT!r})
thread = threading.Thread(target=lost)
thread.start()
thread.join()
lost()
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert [(line["what"], line["error"]) for line in _lines(done.stderr)] == [
        ("a thread ends", "ValueError"),
        ("the process ends", "ValueError"),
    ]
    assert "Reader One" not in done.stderr


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
