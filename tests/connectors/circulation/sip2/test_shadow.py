"""A kiosk's traffic is recorded in passing, asked again of another server, and the answers are held against each other; over real sockets."""

from __future__ import annotations

import asyncio
import json
import socket
import stat
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.profile import Output, Policy, Profile
from connectors.circulation.sip2.client import Client
from connectors.circulation.sip2.masking import unsaid
from connectors.circulation.sip2.recording import Recorder, Said, read
from connectors.circulation.sip2.server import Limits
from connectors.circulation.sip2.shadow import Report, ask_again, pairs, proposed, shown
from include.engine.errors import Refused
from tests.connectors.circulation.conftest import Clock
from tests.connectors.circulation.running import Raw, running

NOW = "20261120    130000"
ZONE = ZoneInfo("Europe/Copenhagen")
VISIT = [
    f"23001{NOW}AOlindeby|AAc1|AC|AD1234|",
    f"11NN{NOW}{' ' * 18}AOlindeby|AAc1|ABb1|AC|AD1234|",
    f"63001{NOW}  Y       AOlindeby|AAc1|AC|AD1234|",
    f"09N{NOW}{NOW}APmain|AOlindeby|ABb1|AC|",
    f"09N{NOW}{NOW}APmain|AOlindeby|ABd1|AC|",
]


recorders: list[Recorder] = []


@contextmanager
def recording(port: int, file: Path, **more: Any) -> Iterator[int]:
    """A recorder in a thread of its own, before the server at `port`; its own port."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def begin() -> tuple[Recorder, int]:
        recorder = Recorder("127.0.0.1", port, file, **more)
        return recorder, await recorder.listen("127.0.0.1", 0)

    recorder, own = asyncio.run_coroutine_threadsafe(begin(), loop).result(60)
    recorders.append(recorder)
    try:
        yield own
    finally:
        asyncio.run_coroutine_threadsafe(recorder.close(), loop).result(60)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(60)


def _visit(port: int, at: str = NOW) -> list[str]:
    with Raw(port) as kiosk:
        kiosk.log_in()
        return [kiosk.ask(line.replace(NOW, at)) for line in VISIT]


def _shadowed(said: list[Said], port: int, *, words: bool = False) -> Report:
    async def run() -> Report:
        client = await Client.connect("127.0.0.1", port)
        assert (await client.ask("93", {}, {"CN": "kiosk1", "CO": "secret"})).fixed["ok"] == "1"
        try:
            return await ask_again(pairs(said), client, ZONE, words=words)
        finally:
            await client.close()

    return asyncio.run(run())


@pytest.fixture
def recorded(library: Embedded, clock: Clock, tmp_path: Path) -> list[Said]:
    file = tmp_path / "recording.jsonl"
    with running(library, now=clock) as server:
        straight = _visit(server.port)
        with recording(server.port, file) as port:
            assert _visit(port, "20261120    130001") == straight
    return list(read(file))


def test_the_machine_notices_nothing_and_no_secret_is_written(recorded: list[Said], tmp_path: Path) -> None:
    file = tmp_path / "recording.jsonl"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [one.by for one in recorded] == ["machine", "system"] * (len(VISIT) + 1)
    text = file.read_text()
    assert "1234" not in text and "secret" not in text
    assert "AD****" in text and "CO****" in text and "AAc1" in text


def test_the_same_library_answers_alike_a_month_later(recorded: list[Said], library: Embedded, clock: Clock) -> None:
    clock.on(days=31)
    with running(library, now=clock) as server:
        report = _shadowed(recorded, server.port)
    assert report.differences == {} and report.asked == {"23": 1, "11": 1, "63": 1, "09": 2} == report.alike


def test_another_library_s_answers_are_told_apart_field_by_field(recorded: list[Said], library: Embedded, clock: Clock) -> None:
    clock.on(days=31)
    unlike = Profile(output=Output(hidden=frozenset({"CR"}), name="{name} ({category})"), policy=Policy(returned_is_ok=False))
    with running(library, now=clock, profile=unlike) as server:
        report = _shadowed(recorded, server.port)
    assert report.differences == {("23", "AE"): 1, ("63", "AE"): 1, ("09", "CR"): 2, ("09", "ok"): 1, ("09", "alert"): 1}
    assert shown(report.examples["09", "CR"]) == ("book", "-")
    assert shown(report.examples["23", "AE"]) == ("(10 characters)", "(18 characters)")
    assert report.only_theirs == {"CR"}


def test_a_profile_is_begun_from_how_the_machine_spoke(recorded: list[Said]) -> None:
    report = Report(only_ours={"PC", "AF"})
    begun = {"framing": {"encoding": "utf-8", "terminator": "cr", "error_detection": "never"}, "output": {"hidden": ["PC"]}}
    assert proposed(recorded, report) == begun
    Profile.model_validate(begun)
    other = [one._replace(end="crlf", checked=True, utf8=False) for one in recorded]
    assert proposed(other, Report()) == {"framing": {"encoding": "latin-1", "terminator": "crlf", "error_detection": "always"}}


def test_what_is_no_recording_is_refused_and_one_that_was_cut_off_is_read_so_far(recorded: list[Said], tmp_path: Path) -> None:
    file = tmp_path / "recording.jsonl"
    text = file.read_text()
    file.write_text(text[:-40])
    assert list(read(file)) == recorded[:-1]
    file.write_text(json.dumps({"another": "file"}) + "\n")
    with pytest.raises(Refused, match="none of a recording"):
        list(read(file))


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_lines_that_come_all_at_once_are_all_recorded(library: Embedded, clock: Clock, tmp_path: Path) -> None:
    file, many = tmp_path / "recording.jsonl", 400
    with running(library, now=clock) as server, recording(server.port, file) as port, Raw(port) as kiosk:
        kiosk.log_in()
        kiosk.send(b"".join(f"23001{NOW}AOlindeby|AAc{number}|AC|AD1234|\r".encode() for number in range(many)))
        for _ in range(many):
            assert kiosk.read()[:2] == b"24"
        end = time.monotonic() + 60
        while recorders[-1].lines < 2 * (many + 1):  # what was passed on is written down after it
            assert time.monotonic() < end
            time.sleep(0.01)
    said = [one for one in read(file) if one.line[:2] in ("23", "24")]
    assert Counter(one.by for one in said) == {"machine": many, "system": many}
    assert "AD1234" not in file.read_text()


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_full_disk_ends_the_recording_and_not_the_conversation(library: Embedded, clock: Clock, tmp_path: Path) -> None:
    with running(library, now=clock) as server, recording(server.port, tmp_path / "recording.jsonl") as port:
        recorders[-1]._file = Path("/dev/full").open("w")  # noqa: SIM115 - the recorder closes it
        assert _visit(port)[0].startswith("24")


def test_a_machine_with_a_delimiter_of_its_own_is_recorded_without_its_secrets_and_gets_a_profile(tmp_path: Path) -> None:
    lines = ["9300CNkiosk1^COhunter2^", f"23001{NOW}AOlindeby^AAc1^AC^AD1234^"]
    kept = [unsaid(line) for line in lines]
    assert kept == ["9300CNkiosk1^CO****^", f"23001{NOW}AOlindeby^AAc1^AC^AD****^"]
    said = [Said(0.0, 1, "machine", line, "cr", False, True) for line in kept]
    assert proposed(said, Report())["framing"] == {
        "encoding": "utf-8", "terminator": "cr", "error_detection": "never", "delimiter": "^",
    }  # fmt: skip


@contextmanager
def _an_old_system(say: bytes = b"") -> Iterator[tuple[int, list[socket.socket]]]:
    """A library system that says this to whoever connects, and nothing more; its port, and the connections that it has."""
    found: list[socket.socket] = []

    def accept() -> None:
        with suppress(OSError):
            while True:
                found.append(listening.accept()[0])
                with suppress(ConnectionError):
                    found[-1].sendall(say)
                found[-1].setblocking(False)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=accept, daemon=True)
        thread.start()
        try:
            yield listening.getsockname()[1], found
        finally:
            listening.shutdown(socket.SHUT_RDWR)
            thread.join(60)
            for one in found:
                one.close()


def test_the_recorder_has_room_for_so_many_connections_and_for_another_when_one_has_gone(tmp_path: Path) -> None:
    with _an_old_system(b"98\r") as (port, _), recording(port, tmp_path / "recording.jsonl", limits=Limits(connections=1)) as own:
        with Raw(own) as kiosk:
            assert kiosk.read() == b"98"
            assert not _let_in(own)
        end = time.monotonic() + 60
        while not _let_in(own):
            assert time.monotonic() < end


def _let_in(port: int) -> bool:
    with Raw(port) as kiosk:
        try:
            return kiosk.read() == b"98"
        except ConnectionError:
            return False


def test_a_connection_on_which_both_are_silent_too_long_is_closed_on_both_sides(tmp_path: Path) -> None:
    with (
        _an_old_system() as (port, there),
        recording(port, tmp_path / "recording.jsonl", limits=Limits(idle_s=0.2)) as own,
        Raw(own) as kiosk,
    ):
        assert kiosk.read() == b""
        there[0].settimeout(60)
        assert there[0].recv(1) == b""


def test_a_machine_that_does_not_read_is_cut_off_from_the_library_system(tmp_path: Path) -> None:
    file, line = tmp_path / "recording.jsonl", b"x" * 999 + b"\r"
    with _an_old_system() as (port, there), recording(port, file, limits=Limits(stuck_s=0.2)) as own, Raw(own):
        end = time.monotonic() + 60
        while True:
            assert time.monotonic() < end
            try:
                if there and not there[0].getblocking():
                    there[0].send(line)
            except BlockingIOError:
                time.sleep(0.01)
            except ConnectionError:
                break
