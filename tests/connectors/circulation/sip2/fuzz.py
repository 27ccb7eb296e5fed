"""SIP2 under bytes that no machine sends: python -m tests.connectors.circulation.sip2.fuzz [--inputs 10000000] (`make fuzz`)

atheris (libFuzzer) looks for bytes that reach code it has not seen, from the golden lines on; every fiftieth input is talked by two machines
at once to a server with a store and a journal, the others go through framing and codec. What must always be so is in trial.py.
It runs in lots, each a process with a seed of its own, and says a line of each. Every fourth is libFuzzer's; the others, and all where it
is not installed, change by chance what it found so far, for the code runs several times as fast where nobody looks on. Most lots try inputs
of a few lines, every tenth ones that are longer than any line may be.
"""

from __future__ import annotations

import argparse
import hashlib
import logging
import random
import re
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

from connectors.circulation.embedded.backend import Embedded
from connectors.circulation.sip2.framing import sealed
from connectors.circulation.sip2.table import FIELDS, MESSAGES
from tests.connectors.circulation.sip2.trial import Talk, library, lines

TALKED = 50
"""Every so many inputs is a conversation."""
MEMORY_MB = 1024
LOT = 250_000
GUIDED_EVERY, LONG_EVERY = 4, 10
SHORT, LONG = 600, 20_000
"""Bytes of an input, in most lots and in every tenth."""
SEEN = 50_000
"""Lines that are remembered as right."""
SECONDS = 300
"""Within which an input of libFuzzer's, or a hundred by chance, must be done, by the clock of a machine that may be busy."""


def seeds(folder: Path) -> None:
    """The golden lines, one and several to a file, and words that libFuzzer may put in."""
    from tests.connectors.circulation.sip2.test_codec import GOLDEN

    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for number, line in enumerate(GOLDEN.values()):
        (corpus / f"line{number}").write_bytes(line.encode() + b"\r")
        (corpus / f"sealed{number}").write_bytes(sealed(line, sequence="1"))
    (corpus / "all").write_bytes(b"\xff".join(line.encode() for line in GOLDEN.values()))
    words = [*MESSAGES, *FIELDS, "|", "\\x0d", "\\x0a", "\\xff", "AY1AZ", "20261121    130000", "4500001231", "30001", "1E+999990"]
    (folder / "words").write_text("".join(f'"{word}"\n' for word in words))


class Trial:
    """Tries inputs, every fiftieth in a conversation too."""

    def __init__(self, found: Embedded) -> None:
        self._talk, self.count = Talk(found), 0
        self._seen: set[bytes] = set()
        logging.getLogger("bindery.circulation").setLevel(logging.CRITICAL)

    def one(self, data: bytes) -> None:
        """AssertionError for what may not be; whatever else is raised may not be either."""
        self.count += 1
        lines(data, self._seen)
        if len(self._seen) > SEEN:
            self._seen.clear()
        if self.count % TALKED == 0:
            self._talk.hold(data)


def guided(arguments: list[str]) -> None:
    """libFuzzer's loop; it ends the process."""
    import atheris

    with library() as found:
        atheris.Setup([sys.argv[0], *arguments], Trial(found).one)
        atheris.Fuzz()


_START = """
import sys
import atheris
with atheris.instrument_imports(include=["connectors.circulation"]):
    from tests.connectors.circulation.sip2.fuzz import guided
guided(sys.argv[1:])
"""
"""libFuzzer sees which code an input reaches only where it was instrumented while it was imported."""


def by_chance(folder: Path, seed: int, inputs: int, longest: int) -> None:
    """So many inputs, made of those in the corpus. One that fails is left in the folder."""
    known = [path.read_bytes() for path in sorted((folder / "corpus").iterdir())]
    words = [word.encode() for word in (*MESSAGES, *FIELDS)] + [
        b"|",
        b"\r",
        b"\r\n",
        b"\xff",
        b"\x00",
        b"AY1AZ",
        b"97\r",
        b"4500001231",
        b"30001",
        b"1E+999990",
    ]
    chance = random.Random(seed)
    signal.signal(signal.SIGALRM, _too_long)
    with library() as found:
        trial = Trial(found)
        for number in range(inputs):
            if number % 100 == 0:
                signal.alarm(SECONDS)
            data = changed(chance, known, words, longest)
            try:
                trial.one(data)
            except BaseException:
                (folder / f"crash-{hashlib.sha1(data).hexdigest()}").write_bytes(data)  # noqa: S324 - a name
                raise
    signal.alarm(0)
    # Not ru_maxrss: Linux carries the parent's over into a new program, and the tests' own process is large.
    status = Path("/proc/self/status").read_text().splitlines()
    most = next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) // 1024
    print(f"stat::number_of_executed_units: {trial.count}\nstat::peak_rss_mb: {most}")
    assert most < MEMORY_MB, f"{most} MB"


def _too_long(*_: object) -> None:
    raise AssertionError(f"a hundred inputs take more than {SECONDS} s")


def changed(chance: random.Random, known: list[bytes], words: list[bytes], longest: int) -> bytes:
    """One or two known inputs, changed at one to five places; long ones are repeated until they are."""
    data = chance.choice(known)
    if chance.random() < 0.3:
        other = chance.choice(known)
        data = data[: chance.randrange(len(data) + 1)] + other[chance.randrange(len(other) + 1) :]
    if longest > SHORT and data and chance.random() < 0.5:
        data = data * chance.randrange(1, longest // len(data) + 2)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(data) + 1)
        what = chance.random()
        if what < 0.35:
            data = data[:at] + chance.choice(words) + data[at:]
        elif what < 0.6:
            data = data[:at] + chance.randbytes(chance.randrange(1, 4)) + data[at + chance.randrange(3) :]
        elif what < 0.85:
            data = data[:at] + data[at + chance.randrange(1, 20) :]
        else:
            data = data[:at] + data[max(0, at - chance.randrange(1, 60)) :]
    return data[:longest]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=10_000_000)
    parser.add_argument("--seed", type=int, default=1, help="of the first lot; each next one has the next")
    parser.add_argument("--folder", type=Path, default=Path(".bench/fuzz_sip2"), help="what it found so far, to go on from")
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    seeds(asked.folder)
    guide = find_spec("atheris") is not None
    if not guide:
        print("atheris is not installed (it is for Linux alone): all by chance, from the golden lines on", flush=True)
    done, seed = 0, asked.seed
    while done < asked.inputs:
        long = seed % LONG_EVERY == 0
        inputs = min(LOT // 10 if long else LOT, asked.inputs - done)
        code = lot(asked.folder, seed, inputs, LONG if long else SHORT, guide=guide and seed % GUIDED_EVERY == 1)
        if code:
            raise SystemExit(code)
        done, seed = done + inputs, seed + 1


def lot(folder: Path, seed: int, inputs: int, longest: int, *, guide: bool) -> int:
    """One process that tries so many inputs; 0 when nothing was found, and else what it found lies in the folder."""
    if guide:
        limits = [
            f"-runs={inputs}",
            f"-seed={seed}",
            f"-max_len={longest}",
            "-len_control=20",
            f"-rss_limit_mb={MEMORY_MB}",
            f"-timeout={SECONDS}",
        ]
        told = [*limits, f"-dict={folder / 'words'}", f"-artifact_prefix={folder}/", "-print_final_stats=1", str(folder / "corpus")]
        command = ["-c", _START, *told]
    else:
        command = [
            "-c",
            f"from tests.connectors.circulation.sip2.fuzz import *; by_chance(Path({str(folder)!r}), {seed}, {inputs}, {longest})",
        ]
    began = time.monotonic()
    with (folder / "lot.log").open("w+") as log:
        code = subprocess.run([sys.executable, *command], stdout=log, stderr=log, check=False).returncode
        log.seek(0)
        text = log.read()
    stats = dict(re.findall(r"stat::(\w+):\s+(\d+)", text))
    words = "right" if code == 0 else f"ended with {code}: see {folder}"
    print(
        f"seed {seed}, {'guided' if guide else 'by chance'}: {stats.get('number_of_executed_units', '?')} inputs of up to {longest} bytes "
        f"in {time.monotonic() - began:.0f} s, {stats.get('peak_rss_mb', '?')} MB: {words}",
        flush=True,
    )
    if code:
        print(text[-4000:], flush=True)
    return code


if __name__ == "__main__":
    main()
