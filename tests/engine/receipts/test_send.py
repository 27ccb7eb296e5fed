"""Receipts on their way: into our own files, the partner's folder, and by mail over a real SMTP server."""

from __future__ import annotations

from dataclasses import replace

import pytest

from include.engine.credentials import EnvironmentCredentials
from include.engine.delivery import State
from include.engine.errors import Unreachable
from include.engine.inbound.acknowledge import acknowledge
from include.engine.inbound.receive import receive
from include.engine.ledger import receipts
from include.engine.receipts.send import plain_name
from include.sandbox.servers.ports import free_port
from tests.house import MASTER

GOOD = "".join(f"h{n};c{n};main;v.{n}\n" for n in range(1, 6))


def test_what_was_taken_in_whole_is_no_mail(written_to, post) -> None:
    done = written_to.deliver("hold_1.txt", GOOD)
    assert done.state == State.ACKNOWLEDGED
    assert post.mails() == []
    kinds = {one.kind for one in receipts.of(written_to.engine.ledger, done.id)}
    assert kinds == {"own txt", "own json", "partner txt", "partner json"}


def test_what_was_not_taken_in_whole_is_mailed_in_the_partners_language(written_to, post) -> None:
    done = written_to.deliver("hold_1.txt", GOOD + "torn\n")
    [mail] = post.mails()
    assert mail["To"] == "drift@lindeby.example"
    assert mail["Subject"] == "hold_1.txt: 6 poster: 5 modtaget, 1 lagt til side"
    assert mail.get_content().replace("\r\n", "\n") == written_to.receipt(done)
    assert mail["Message-ID"] == f"<{done.id}.acknowledged@bindery>"


@pytest.mark.parametrize("name", ["hold_line\nbreak.txt", "hold_" + "æ" * 110 + ".txt"])
def test_a_mail_goes_out_whatever_the_file_is_called(written_to, post, name: str) -> None:
    written_to.deliver(name, GOOD + "torn\n")
    [mail] = post.mails()
    assert "hold_" in mail["Subject"] and "\n" not in mail["Subject"]


def test_one_mail_goes_out_however_many_tries_there_are(written_to, post) -> None:
    written_to.drop("hold_1.txt", "")
    [claimed] = written_to.claimed(later=31)
    with pytest.raises(Exception, match="FILE_EMPTY"):
        receive(written_to.engine, claimed.id, written_to.connector)
    for _ in range(3):
        acknowledge(written_to.engine, claimed.id, written_to.connector)
    [mail] = post.mails()
    assert "Ikke modtaget" in mail.get_content()


def test_a_second_ending_of_the_same_delivery_is_mailed_too(written_to, post) -> None:
    written_to.drop("hold_1.txt", GOOD + "torn\n")
    [claimed] = written_to.claimed()
    acknowledge(written_to.engine, claimed.id, written_to.connector)
    assert written_to.get(claimed.id).state == State.FAILED
    written_to.run(claimed.id)
    assert {mail["Message-ID"] for mail in post.mails()} == {f"<{claimed.id}.{state}@bindery>" for state in ("failed", "acknowledged")}


def test_a_mail_server_that_does_not_answer_is_told_and_the_next_try_sends(written_to, post) -> None:
    down = {"AIRFLOW_CONN_BINDERY_SMTP": f"smtp://127.0.0.1:{free_port()}/?disable_ssl=true&disable_tls=true"}
    up, engine = written_to.engine, replace(written_to.engine, credentials=EnvironmentCredentials({**MASTER, **down}))
    written_to.drop("hold_1.txt", "torn\n" + GOOD)
    [claimed] = written_to.claimed()
    written_to.engine = engine
    with pytest.raises(Unreachable, match="mail server did not take a mail"):
        written_to.run(claimed.id)
    written_to.engine = up
    acknowledge(up, claimed.id, written_to.connector)
    assert len(post.mails()) == 1
    assert written_to.get(claimed.id).state == State.ACKNOWLEDGED


def test_without_a_mail_server_the_files_remain(written_to) -> None:
    written_to.engine = replace(written_to.engine, credentials=EnvironmentCredentials(MASTER))
    done = written_to.deliver("hold_1.txt", GOOD + "torn\n")
    assert done.state == State.ACKNOWLEDGED
    assert "1 lagt til side" in written_to.receipt(done)


@pytest.mark.parametrize(
    ("extras", "login"), [("disable_ssl=true", ""), ("", ""), ("disable_ssl=true&disable_tls=true", "someone:sandbox-only@")]
)
def test_a_server_that_offers_less_safety_than_is_asked_for_gets_no_mail(written_to, post, extras: str, login: str) -> None:
    address = f"smtp://{login}127.0.0.1:{post.port}/?{extras}"
    written_to.engine = replace(written_to.engine, credentials=EnvironmentCredentials({**MASTER, "AIRFLOW_CONN_BINDERY_SMTP": address}))
    written_to.drop("hold_1.txt", GOOD + "torn\n")
    [claimed] = written_to.claimed()
    with pytest.raises(Unreachable) as told:
        written_to.run(claimed.id)
    assert "sandbox-only" not in str(told.value)
    assert post.mails() == []


@pytest.mark.parametrize(
    ("name", "plain"), [("a:b?.csv", "a_b_.csv"), (".hidden", "hidden"), ("..", "delivery"), ("æ" * 100, "æ" * 80), ("x\\x0ay", "x_x0ay")]
)
def test_a_receipts_name_is_one_that_every_store_takes(name: str, plain: str) -> None:
    assert plain_name(name) == plain
