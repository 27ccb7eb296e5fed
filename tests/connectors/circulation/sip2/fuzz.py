"""SIP2 under bytes that no machine sends: python -m tests.connectors.circulation.sip2.fuzz [--inputs 10000000] (`make fuzz`)

atheris (libFuzzer) looks for bytes that reach code it has not seen, from the golden lines on; every fiftieth input is talked by two machines
at once to a server with a store and a journal, the others go through framing and codec. What must always be so is in `lines` and `Talk`.
It runs in lots, each a process with a seed of its own, and says a line of each: most try inputs of a few lines, every tenth ones that are
longer than any line may be.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import hashlib
import logging
import re
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from connectors.circulation.embedded.backend import Embedded, opened
from connectors.circulation.embedded.rules import Limits, Rules
from connectors.circulation.metrics import Metrics
from connectors.circulation.profile import Profile
from connectors.circulation.sip2.codec import Unreadable, parse, write
from connectors.circulation.sip2.framing import LONGEST, Lines, TooLong, sealed
from connectors.circulation.sip2.framing import opened as unsealed
from connectors.circulation.sip2.server import Connection, Server
from connectors.circulation.sip2.session import House
from connectors.circulation.sip2.table import FIELDS, MESSAGES
from connectors.circulation.terminals import Terminal, Terminals
from include.engine.crypto.keys import MemoryKeyStore

TALKED = 50
"""Every so many inputs is a conversation."""
MEMORY_MB = 1024
LOT = 250_000
LONG_EVERY, SHORT, LONG = 10, 600, 20_000
"""Of so many lots one has inputs of up to LONG bytes, the others of up to SHORT."""
_SALT = b"0123456789abcdef"
_PASSWORD = "$".join(  # of "secret", and quick to check
    (
        "scrypt",
        "2",
        "1",
        "1",
        *(base64.b64encode(part).decode() for part in (_SALT, hashlib.scrypt(b"secret", salt=_SALT, n=2, r=1, p=1, dklen=32))),
    )
)


def lines(data: bytes) -> None:
    """What must be so of any bytes. Cut anywhere, they are the same lines; a line that is read can be written, and is then read the same."""
    found = _cut(data, (len(data),))
    assert found == _cut(data, (*(size for byte in data[-12:] for size in (1 + byte % 5, len(data) // 16)), len(data)))
    for raw in found or ():
        framed = unsealed(raw)
        try:
            asked = parse(framed.body.decode("latin-1"))
        except Unreadable:
            continue
        assert sum(one.width for one in MESSAGES[asked.code].fixed) == sum(map(len, asked.fixed.values()))
        again = parse(write(asked.code, asked.fixed, {code: asked.every(code) for code in asked.fields if len(code) == 2}))
        assert again.code == asked.code and again.fixed == asked.fixed
        assert unsealed(sealed(framed.body.decode("latin-1"), encoding="latin-1", sequence="3", terminator=b"")).intact


def _cut(data: bytes, sizes: Iterable[int]) -> list[bytes] | None:
    """The lines of `data` when it comes in pieces of these sizes; None when a line was longer than any may be."""
    reader, found, at = Lines(), [], 0
    try:
        for size in sizes:
            found += reader.feed(data[at : at + size])
            at += size
            assert len(reader._rest) <= LONGEST, "what has no end is kept"
    except TooLong:
        assert len(data) > LONGEST
        return None
    return found


class _Wire:
    """A connection's other end: keeps what is written, one answer each."""

    def __init__(self) -> None:
        self.said: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        if data:
            self.said.append(data)

    def get_extra_info(self, name: str) -> Any:
        return ("127.0.0.1", 1) if name == "peername" else None

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True

    abort = close

    def set_write_buffer_limits(self, high: int) -> None: ...
    def pause_reading(self) -> None: ...
    def resume_reading(self) -> None: ...


class _Hurried(asyncio.SelectorEventLoop):
    """A loop in which whoever sleeps has slept at once."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self._ahead = 0.0

    def time(self) -> float:
        return super().time() + self._ahead

    def _run_once(self) -> None:
        scheduled = cast(Any, self)._scheduled
        if scheduled and not cast(Any, self)._ready:
            self._ahead += max(0.0, scheduled[0]._when - self.time())
        super()._run_once()  # type: ignore[misc]


INSTITUTIONS = {"kiosk1": b"first", "kiosk2": b"second"}


class Talk:
    """A server, and two machines that say anything to it, in turns. No answer of one may ever go to the other."""

    def __init__(self, library: Embedded) -> None:
        self._loop = _Hurried()
        asyncio.set_event_loop(self._loop)
        known = Terminals(
            institution="everyone", name="", timezone="Europe/Copenhagen",
            terminals={login: Terminal(password=_PASSWORD, institution=name.decode(), connections=2) for login, name in INSTITUTIONS.items()},
        )  # fmt: skip
        self._house = House(library, known, {login: Profile() for login in known.terminals}, Metrics())

    def hold(self, data: bytes) -> None:
        """The bytes, in pieces that go to one machine and the other; each logs in first."""
        self._loop.run_until_complete(self._hold(data))

    async def _hold(self, data: bytes) -> None:
        server = Server(self._house)
        machines: list[tuple[str, _Wire, Connection, set[str]]] = []
        for login in INSTITUTIONS:
            wire, connection = _Wire(), Connection(server, self._house)
            connection.connection_made(cast(asyncio.BaseTransport, wire))
            connection.data_received(f"9300CN{login}|COsecret|\r".encode())
            await _quiet(connection)
            assert wire.said == [b"941\r"], wire.said
            machines.append((login, wire, connection, {"93"}))
        for number, piece in enumerate(data.split(b"\xff")):
            login, wire, connection, asked = machines[number % 2]
            if wire.closed:
                continue
            lines, before = _codes(piece), len(wire.said)
            asked |= set(lines)
            connection.data_received(piece + b"\r")
            await _quiet(connection)
            said = wire.said[before:]
            assert len(said) <= len(lines), "more answers than questions"
            own = {"96"} | {MESSAGES[code].answer for code in asked if code in MESSAGES}
            assert {one[:2].decode() for one in said} <= own, "an answer to what this machine never asked"
            if lines.count("93") == 0 and connection._session is not None and connection._session.login == login:
                other = next(name for known, name in INSTITUTIONS.items() if known != login)
                assert not any(b"AO" + other + b"|" in one for one in said), "an answer of the other machine"
        for _, _, connection, _ in machines:
            connection.connection_lost(None)
        assert not any(self._house.present.values()), "a terminal is still counted as here"


def _codes(piece: bytes) -> list[str]:
    """What the lines of a piece ask, as far as that can be seen without the codec."""
    return [line.strip(b" \x00")[:2].decode("latin-1") for line in re.split(rb"[\r\n]", piece) if line.strip(b" \x00")]


async def _quiet(connection: Connection) -> None:
    if connection._task is not None:
        await connection._task


@contextmanager
def library() -> Iterator[Embedded]:
    """A store with two patrons and some items; its journal is not synced, for no power fails here."""
    with tempfile.TemporaryDirectory() as place:
        found = opened(Path(place), MemoryKeyStore(), Rules(defaults=Limits(loan_days=28)))
        found.store.fill("patron", [{"patron": f"p{n}", "name": f"Reader {n}", "category": "adult"} for n in (1, 2)])
        found.store.fill("card", [{"card": f"450000123{n}", "patron": f"p{n}"} for n in (1, 2)])
        found.store.fill(
            "item",
            [
                {"item": f"3000{n}", "title_id": "t", "title": "A title", "material": "book", "owner": "m", "location": "m"}
                for n in range(5)
            ],
        )
        found.store.commit()
        yield found
        found.close()


def seeds(folder: Path) -> None:
    """The golden lines, one and several to a file, and words that libFuzzer may put in."""
    from tests.connectors.circulation.sip2.test_codec import GOLDEN

    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, line in enumerate(GOLDEN.values()):
        (corpus / f"line{number}").write_bytes(line.encode() + b"\r")
        (corpus / f"sealed{number}").write_bytes(sealed(line, sequence="1"))
    (corpus / "all").write_bytes(b"\xff".join(line.encode() for line in GOLDEN.values()))
    words = [*MESSAGES, *FIELDS, "|", "\\x0d", "\\x0a", "\\xff", "AY1AZ", "20261121    130000", "4500001231", "30001"]
    (folder / "words").write_text("".join(f'"{word}"\n' for word in words))


def fuzz(arguments: list[str]) -> None:
    """libFuzzer's loop; it ends the process."""
    import atheris

    count = 0
    with library() as found:
        talk = Talk(found)

        def one(data: bytes) -> None:
            nonlocal count
            count += 1
            lines(data)
            if count % TALKED == 0:
                talk.hold(data)

        logging.getLogger("bindery.circulation").setLevel(logging.CRITICAL)
        atheris.Setup([sys.argv[0], *arguments], one)
        atheris.Fuzz()


_START = """
import sys
import atheris
with atheris.instrument_imports(include=["connectors.circulation"]):
    from tests.connectors.circulation.sip2.fuzz import fuzz
fuzz(sys.argv[1:])
"""
"""libFuzzer sees which code an input reaches only where it was instrumented while it was imported."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first lot; each next one has the next")
    parser.add_argument("--folder", type=Path, default=Path(".bench/fuzz_sip2"), help="what it found so far, to go on from")
    asked = parser.parse_args()
    try:
        import atheris  # noqa: F401
    except ImportError:
        raise SystemExit("atheris is not installed (it is for Linux alone); the suite's short version uses hypothesis") from None
    asked.folder.mkdir(parents=True, exist_ok=True)
    seeds(asked.folder)
    done = 0
    while done < asked.inputs:
        seed = asked.seed + done // LOT
        inputs = min(LOT, asked.inputs - done)
        code = lot(asked.folder, seed, inputs, LONG if seed % LONG_EVERY == 0 else SHORT)
        if code:
            raise SystemExit(code)
        done += inputs


def lot(folder: Path, seed: int, inputs: int, longest: int) -> int:
    """One process that tries so many inputs; 0 when nothing was found, and else what it found lies in the folder."""
    limits = [f"-runs={inputs}", f"-seed={seed}", f"-max_len={longest}", "-len_control=20", f"-rss_limit_mb={MEMORY_MB}", "-timeout=10"]
    told = [*limits, f"-dict={folder / 'words'}", f"-artifact_prefix={folder}/", "-print_final_stats=1", str(folder / "corpus")]
    began = time.monotonic()
    with (folder / "lot.log").open("w+") as log:
        code = subprocess.run([sys.executable, "-c", _START, *told], stdout=log, stderr=log, check=False).returncode
        log.seek(0)
        text = log.read()
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", text))
    covered = re.findall(r"cov: (\d+) ft: (\d+)", text) or [("?", "?")]
    words = "right" if code == 0 else f"ended with {code}: see {folder}"
    print(
        f"seed {seed}: {stats.get('number_of_executed_units', '?')} inputs of up to {longest} bytes in {time.monotonic() - began:.0f} s, "
        f"{stats.get('peak_rss_mb', '?')} MB, {covered[-1][0]} branches and {covered[-1][1]} features: {words}",
        flush=True,
    )
    if code:
        print(text[-4000:], flush=True)
    return code


if __name__ == "__main__":
    main()
