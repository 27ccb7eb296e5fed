"""A posthus that refuses, is full, goes dead in the middle, or writes a mail: a correct delivery later, or a named error, never a second counting."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.adhl import outbound
from connectors.adhl.upload.answers import listen
from include.engine.delivery import Delivery, State
from include.engine.errors import Unreachable
from include.engine.ledger import parts
from include.engine.outbound.confirm import confirm
from include.engine.outbound.render import render
from include.engine.outbound.select import select
from include.engine.outbound.send import send
from include.sandbox.servers.imap import ImapServer, imap_server
from include.sandbox.servers.posthus import complaint


@pytest.fixture
def ready(lending):
    """A library with loans that are due: enough for several blocks of a file."""
    lending.patrons("1")
    lending.loans(*({"loan_id": str(number), "control_number": f"c{number}"} for number in range(30)))
    lending.settle(grouping="one_title")
    return lending


@pytest.fixture(scope="module")
def imap(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ImapServer]:
    with imap_server(tmp_path_factory.mktemp("imap")) as server:
        yield server


@pytest.fixture
def mailbox(ready, imap: ImapServer, tmp_path: Path) -> Iterator[ImapServer]:
    """The mailbox that posthus's mails arrive in, empty."""
    for file in (*(imap.folder / "new").iterdir(), *(imap.folder / "cur").iterdir()):
        file.unlink()
    ready.environment["AIRFLOW_CONN_MAILBOX"] = imap.connection_uri
    ready.settle(grouping="one_title", posthus=", mailbox: mailbox, m: drift@lindeby.example")
    ready.posthus.post = imap.deliver
    return imap


def rendered(ready) -> str:
    made = ready.begun()
    select(ready.engine, made.id, outbound)
    render(ready.engine, made.id, outbound)
    return made.id


CODES = {
    "refuse": "POSTHUS_UNREACHABLE",
    "full": "POSTHUS_FULL",
    "drop_data": "POSTHUS_UNREACHABLE",
    "no_transfer": "POSTHUS_UNREACHABLE",
    "drop_transfer": "POSTHUS_UNREACHABLE",
    "drop_after_transfer": "POSTHUS_UNREACHABLE",
    "short": "POSTHUS_SIZE",
}


@pytest.mark.parametrize(("fault", "code"), CODES.items())
def test_a_fault_is_named_and_the_next_try_delivers_everything_once(ready, fault: str, code: str) -> None:
    id = rendered(ready)
    ready.posthus.faults = {fault}
    with pytest.raises(Unreachable) as trouble:
        send(ready.engine, id, outbound)
    assert (trouble.value.code, ready.get(id).reason) == (code, code)
    ready.posthus.faults = set()
    send(ready.engine, id, outbound)
    confirm(ready.engine, id, outbound)
    ready.posthus.look()
    assert ready.get(id).state == State.ACKNOWLEDGED
    assert len(ready.posthus.lines()) == 30
    assert len(ready.posthus.transfers) == 1, "the transfile was taken once"
    assert ready.upload().counts.in_ == 0


@pytest.mark.parametrize("fault", CODES)
def test_a_fault_that_outlasts_every_try_fails_the_delivery_and_nothing_is_counted_twice_or_lost(ready, fault: str) -> None:
    ready.posthus.faults = {fault}
    failed = ready.run(ready.begun().id, tries=2)
    taken = len(ready.posthus.lines())
    if fault == "drop_after_transfer":
        assert (failed.state, taken) == (State.ACKNOWLEDGED, 30), "the second try saw that it was taken"
        return
    assert (failed.state, failed.counts.held, taken) == (State.FAILED, 30, 0)
    ready.posthus.faults = set()
    ready.loans({"loan_id": "new", "control_number": "new"})
    after = ready.upload()
    if fault in {"no_transfer", "drop_transfer"}:  # a transfile may have come: nobody can tell but posthus
        assert (after.state, after.reason) == (State.BLOCKED, "OUTBOUND_IN_DOUBT")
        assert ready.run(failed.id).state == State.ACKNOWLEDGED
        assert ready.run(after.id).counts.published == 1
    else:
        assert after.counts.published == 31
    ready.posthus.look()
    assert sorted(line.rpartition(",")[2] for line in ready.posthus.lines()) == sorted([*(f"c{number}" for number in range(30)), "new"])


def test_a_try_that_died_between_the_two_files_sends_both_again_and_posthus_takes_them_once(ready) -> None:
    id = rendered(ready)
    ready.posthus.faults = {"no_transfer"}
    with pytest.raises(Unreachable):
        send(ready.engine, id, outbound)
    [data] = ready.posthus.inbox.iterdir()
    data.write_bytes(b"half")
    ready.posthus.faults = set()
    send(ready.engine, id, outbound)
    ready.posthus.look()
    assert len(ready.posthus.lines()) == 30


def test_a_try_that_died_after_the_transfile_sees_it_waiting_and_sends_nothing(ready) -> None:
    id = rendered(ready)
    ready.posthus.faults = {"idle"}
    send(ready.engine, id, outbound)
    before = {file.name: file.stat().st_mtime_ns for file in ready.posthus.inbox.iterdir()}
    with ready.engine.ledger.begin() as tx:
        tx.exec_driver_sql("UPDATE delivery SET state = 'gated' WHERE id = ?", (id,))
        tx.exec_driver_sql("UPDATE outbound_part SET done_at = NULL WHERE rank = 1 AND delivery_id = ?", (id,))
    send(ready.engine, id, outbound)
    assert {file.name: file.stat().st_mtime_ns for file in ready.posthus.inbox.iterdir()} == before
    assert parts.of(ready.engine.ledger, id)[1].facts["again"] is True


def test_a_server_without_size_is_asked_for_a_list(ready) -> None:
    ready.posthus.faults = {"no_size"}
    assert ready.upload().state == State.ACKNOWLEDGED
    assert len(ready.posthus.lines()) == 30


def test_nobody_at_the_address_is_trouble_that_is_tried_again(ready) -> None:
    ready.environment["AIRFLOW_CONN_POSTHUS"] = "ftp://ftp:x@127.0.0.1:9/?timeout=2"
    with pytest.raises(Unreachable, match="ConnectionRefusedError"):
        send(ready.engine, rendered(ready), outbound)


# -- mails -------------------------------------------------------------------------------------------------------------------------------


def complained_about(ready) -> Delivery:
    """An upload that posthus looks at once it has ended, and writes a mail about."""
    ready.posthus.faults = {"idle"}
    done = ready.upload()
    assert done.state == State.ACKNOWLEDGED
    ready.posthus.faults = set()
    ready.posthus.look()
    return done


def test_a_mail_that_says_that_nothing_was_taken_is_put_on_the_delivery_and_its_loans_go_again(ready, mailbox: ImapServer) -> None:
    ready.posthus.agencies = frozenset({"123456"})
    done = complained_about(ready)
    assert ready.posthus.mails[0][0] == "drift@lindeby.example"
    assert str(listen(ready.engine, who="posthus")).endswith("1 answers of posthus")
    told = ready.get(done.id)
    assert (told.state, told.reason) == (State.RETRACTED, "POSTHUS_REFUSED")
    assert "ugyldigt biblioteksnummer" in told.facts["answers"][0]["words"]
    assert str(listen(ready.engine, who="posthus")).endswith("0 answers of posthus")
    ready.posthus.agencies = frozenset({"799001"})
    assert ready.upload().counts.published == 30
    assert len(ready.posthus.lines()) == 30


def test_a_mail_that_is_there_when_the_delivery_is_confirmed_ends_it_at_once(ready, mailbox: ImapServer) -> None:
    ready.posthus.agencies = frozenset()
    id = rendered(ready)
    send(ready.engine, id, outbound)
    ready.posthus.look()
    confirm(ready.engine, id, outbound)
    assert (ready.get(id).state, ready.get(id).reason) == (State.RETRACTED, "POSTHUS_REFUSED")
    assert "The receiver did not take it" in ready.receipt(ready.get(id))


SENTENCES = {
    "Transfil har intet indhold": True,
    "Transfil mangler slut-linje": True,
    "Transfilnavn indeholder blanktegn": True,
    "Transfilnavn har ugyldigt biblioteksnummer 'abc'": True,
    "Datafil angivelse mangler i transfilen": True,
    "Datafilnavn a b.pgp indeholder ulovlige tegn": True,
    "Kan ikke finde datafilen: a.pgp": False,
    "Noget helt andet": False,
}


@pytest.mark.parametrize(("sentence", "refused"), SENTENCES.items())
def test_each_of_posthus_sentences_is_understood(ready, mailbox: ImapServer, sentence: str, refused: bool) -> None:
    done = ready.upload()
    mailbox.deliver(complaint(parts.of(ready.engine.ledger, done.id)[1].name, sentence))
    mailbox.deliver(complaint("799001.adhl.20200101.00000000.trans", "Transfil mangler slut-linje"))
    listen(ready.engine, who="posthus")
    told = ready.get(done.id)
    assert told.state == (State.RETRACTED if refused else State.ACKNOWLEDGED)
    assert len(told.facts["answers"]) == 1


def test_a_fault_of_a_transfile_that_was_sent_twice_is_left_to_a_person(ready, mailbox: ImapServer) -> None:
    id = rendered(ready)
    ready.posthus.faults = {"drop_transfer"}
    with pytest.raises(Unreachable):
        send(ready.engine, id, outbound)
    ready.posthus.faults = set()
    send(ready.engine, id, outbound)
    confirm(ready.engine, id, outbound)
    ready.posthus.look()
    mailbox.deliver(complaint(parts.of(ready.engine.ledger, id)[1].name, "Transfil mangler slut-linje"))
    listen(ready.engine, who="posthus")
    assert ready.get(id).state == State.ACKNOWLEDGED
    assert ready.get(id).facts["answers"][0]["code"] == "POSTHUS_ANSWERED"
    assert ready.upload().counts.in_ == 0 and len(ready.posthus.lines()) == 30


def test_an_answer_that_cannot_be_acted_upon_now_is_acted_upon_the_next_time(
    ready, mailbox: ImapServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The note of it stands already: it must not keep the loans from going again."""
    ready.posthus.agencies = frozenset()
    done = complained_about(ready)

    def busy(*_: object, **__: object) -> None:
        raise Unreachable("the lake is busy.", do="A retry helps.")

    with monkeypatch.context() as patch:
        patch.setattr("include.engine.outbound.answers.retract", busy)
        assert str(listen(ready.engine, who="posthus")).startswith("1 mailboxes read, 0 could not be")
    assert (ready.get(done.id).state, len(ready.get(done.id).facts["answers"])) == (State.ACKNOWLEDGED, 1)
    listen(ready.engine, who="posthus")
    assert (ready.get(done.id).state, len(ready.get(done.id).facts["answers"])) == (State.RETRACTED, 1)
    ready.posthus.agencies = frozenset({"799001"})
    assert ready.upload().counts.published == 30


def test_a_mail_of_an_impossible_date_is_read_like_any_other(ready, mailbox: ImapServer) -> None:
    done = ready.upload()
    mail = complaint(parts.of(ready.engine.ledger, done.id)[1].name, "Transfil mangler slut-linje")
    mail.replace_header("Date", "Fri, 31 Dec 9999 23:00:00 -1200")
    mailbox.deliver(mail)
    listen(ready.engine, who="posthus")
    assert ready.get(done.id).state == State.RETRACTED


def test_a_mailbox_that_cannot_be_read_keeps_no_delivery_from_ending(ready, mailbox: ImapServer) -> None:
    ready.environment["AIRFLOW_CONN_MAILBOX"] = "imap://a:b@127.0.0.1:9/?tls=false"
    assert ready.upload().state == State.ACKNOWLEDGED
    assert str(listen(ready.engine, who="posthus")).startswith("0 mailboxes read, 1 could not be")
