"""Engineers are told by mail of what needs them: once, with a link, over a real SMTP server."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine

from include.engine import clock
from include.engine.alerts.send import SHOWN, say
from include.engine.alerts.standing import UNREACHABLE_AFTER, not_set_up, standing
from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import State
from include.engine.ledger import Ledger, conflicts, inbox, pauses
from include.engine.partner.settings import InboxFlow
from include.engine.reasons import LANGUAGES
from include.sandbox.servers.ports import free_port
from include.sandbox.servers.smtp import SmtpServer, smtp_server
from tests.engine.inbound import paper
from tests.house import MASTER, House

PARTNER = """\
name: Lindeby Biblioteker
timezone: Europe/Copenhagen
language: da
status: live
contacts: {{{contacts}}}
flows:
  paper_import:
    inbox: file:inbox/lindeby
    every: 0s
    ready: {{stable_for: 0s}}
    deliveries: [{{table: holding, files: "hold_*", mode: delta{more}}}]
"""
ENGINEER = "drift@example.org"


@pytest.fixture
def post(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmtpServer]:
    monkeypatch.setenv("BINDERY_ALERTS", ENGINEER)
    monkeypatch.setenv("BINDERY_BOARD_URL", "https://airflow.example.org/bindery/")
    with smtp_server(tmp_path / "mails") as server:
        yield server


@pytest.fixture
def watched(tmp_path: Path, ledger: Ledger, post: SmtpServer) -> House:
    made = House.build(tmp_path, ledger, paper, {"paper_import": InboxFlow}, "lindeby", {"AIRFLOW_CONN_BINDERY_SMTP": post.connection_uri})
    made.write(PARTNER.format(contacts="", more=""))
    return made


def test_a_refused_delivery_is_told_once_with_its_reason_and_a_link(watched: House, post: SmtpServer) -> None:
    done = watched.deliver("hold_1.txt", "")
    assert done.state == State.BLOCKED
    watched.claimed()
    watched.claimed()
    [mail] = post.mails()
    assert (mail["To"], mail["Subject"]) == (ENGINEER, "Bindery: 1 needs you")
    text = mail.get_content()
    assert "lindeby: hold_1.txt (paper_import) was refused." in text
    assert "the file is empty" in text
    assert f"https://airflow.example.org/bindery/deliveries/{done.id}" in text


def test_what_goes_well_is_no_mail(watched: House, post: SmtpServer) -> None:
    assert watched.deliver("hold_1.txt", "h1;c1;main;v.1\n").state == State.ACKNOWLEDGED
    watched.claimed()
    assert post.mails() == []


def test_a_partner_s_own_engineer_is_told_of_that_partner_in_its_language(watched: House, post: SmtpServer) -> None:
    watched.write(PARTNER.format(contacts="alerts: it@lindeby.example", more=""))
    (watched.engine.partners_folder / "nowhere.yaml").write_text("name: [\n")
    watched.deliver("hold_1.txt", "")
    watched.claimed()
    found = {mail["To"]: mail.get_content() for mail in post.mails()}
    assert "blev afvist" in found["it@lindeby.example"] and "nowhere" not in found["it@lindeby.example"]
    everything = "".join(mail.get_content() for mail in post.mails() if mail["To"] == ENGINEER)
    assert "was refused" in everything and "nowhere: the settings have an error" in everything


def test_what_was_mended_and_breaks_again_is_told_again(watched: House, post: SmtpServer) -> None:
    for text in ("name: [\n", PARTNER.format(contacts="", more=""), "name: [\n"):
        watched.write(text)
        watched.claimed()
    assert len(post.mails()) == 2


def test_a_file_that_was_expected_and_did_not_come_is_told(watched: House, post: SmtpServer) -> None:
    watched.write(PARTNER.format(contacts="", more=', expected: "daily 06:00"'))
    with time_machine.travel(clock.now().replace(hour=3), tick=False):
        assert watched.claimed() == []
    with time_machine.travel(clock.now().replace(hour=12) + timedelta(days=1), tick=False):
        [word] = watched.claimed()
        watched.run(word.id)
        watched.claimed()
        [mail] = post.mails()
    assert "hold_* (paper_import) was expected and has not come" in mail.get_content()


def test_an_inbox_that_failed_before_its_flow_was_paused_is_told_of_when_it_goes_on(watched: House) -> None:
    engine = watched.engine
    for _ in range(UNREACHABLE_AFTER):
        inbox.look_failed(engine.ledger, "lindeby", "paper_import", "file:inbox/lindeby", "nobody answers", clock.now())
    assert [one.kind for one in standing(engine)] == ["inbox"]
    pauses.pause(engine.ledger, "lindeby", "paper_import", "kirsten")
    assert standing(engine) == []
    pauses.resume(engine.ledger, "lindeby", "paper_import", "kirsten")
    assert [one.kind for one in standing(engine)] == ["inbox"]


def test_an_inbox_that_cannot_be_read_is_told_at_the_third_look(watched: House, post: SmtpServer) -> None:
    watched.inbox.rmdir()
    for looks in (1, 2):
        watched.claimed()
        assert post.mails() == [], looks
    watched.claimed()
    [mail] = post.mails()
    assert "the inbox of paper_import could not be looked into 3 times in a row" in mail.get_content()


def test_a_connection_that_is_not_set_up_is_told_at_once(watched: House, post: SmtpServer) -> None:
    watched.write(PARTNER.format(contacts="", more="").replace("file:inbox/lindeby", "sftp://lindeby_inbox/exports"))
    watched.claimed()
    [mail] = post.mails()
    assert "the inbox of paper_import needs a connection that is not set up" in mail.get_content()
    assert "lindeby_inbox" in mail.get_content()


def test_that_a_connection_is_not_set_up_is_known_by_its_code_and_not_by_its_words() -> None:
    now = clock.now()
    failed = inbox.InboxLook("lindeby", "paper_import", "sftp://one/", None, 0, now, 1, "no connection one", "CREDENTIAL_MISSING")
    assert not_set_up(failed)
    assert not not_set_up(replace(failed, note="the server said: [CREDENTIAL_MISSING]", code="UNREACHABLE"))
    assert not not_set_up(replace(failed, failures=0))


def test_what_self_service_said_and_the_library_system_does_not_agree_with_is_told_with_both_sides(
    watched: House, post: SmtpServer
) -> None:
    one = conflicts.Conflict("lindeby", "j1", 7, "circulation_journal", clock.now(), "selfcheck1", "main", "checkout", "3000001",
                             "ok, due 2026-12-18", "no, CARD_EXPIRED", "CARD_EXPIRED", "The card has expired")  # fmt: skip
    conflicts.enter(watched.engine.ledger, "lindeby", "j1", [one])
    for _ in range(2):
        watched.claimed()
    [mail] = post.mails()
    said = "checkout of 3000001 at selfcheck1: the machine said ok, due 2026-12-18, the library system says no, CARD_EXPIRED (conflict 7: "
    assert f"lindeby: {said}The card has expired)" in mail.get_content()
    assert "https://airflow.example.org/bindery/partners/lindeby#conflicts" in mail.get_content()


def test_a_bad_night_is_one_mail(watched: House, post: SmtpServer) -> None:
    for number in range(SHOWN + 2):
        watched.drop(f"hold_{number:02}.txt", "")
    watched.claimed(later=31)
    while started := watched.claimed():
        for one in started:
            watched.run(one.id)
    told = [mail.get_content() for mail in post.mails()]
    assert sum(text.count("was refused") for text in told) + sum("more:" in text for text in told) <= SHOWN + 2
    watched.claimed()
    assert len(post.mails()) == len(told)


def test_a_mail_server_that_is_away_costs_dispatch_nothing_and_is_tried_again(watched: House, post: SmtpServer) -> None:
    up = watched.engine
    down = {"AIRFLOW_CONN_BINDERY_SMTP": f"smtp://127.0.0.1:{free_port()}/?disable_ssl=true&disable_tls=true"}
    done = watched.deliver("hold_1.txt", "")
    watched.engine = replace(up, credentials=EnvironmentCredentials({**MASTER, **down}))
    assert watched.claimed() == []
    assert post.mails() == []
    watched.engine = up
    watched.claimed()
    assert len(post.mails()) == 1
    assert watched.get(done.id).state == State.BLOCKED


def test_every_sentence_is_there_in_every_language() -> None:
    names = ("subject", "subject_many", "blocked", "held", "failed", "missing", "silent", "settings", "inbox", "connection", "more", "once")
    for language in LANGUAGES:
        assert all(say(language, name, partner="p", name="n", count=1) for name in names)
    assert len({say(language, "once") for language in LANGUAGES}) == len(LANGUAGES)
