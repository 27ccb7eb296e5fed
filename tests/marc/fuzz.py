"""The readers under random damage, for as long as you like: python -m tests.marc.fuzz --minutes 10 (`make fuzz`)

Each round takes some real or generated records, as ISO 2709 or as XML, changes bytes at random, and holds the readers to what must always be so:
they come to an end, every byte (of ISO 2709) is in a record or set aside, small blocks give what large ones give, and compiled code what NumPy gives.
`--sanitized` builds the compiled readers so that a byte out of place ends the run.
"""

from __future__ import annotations

import argparse
import io
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from include.engine.errors import Refused
from include.marc import iso2709, marcxml
from include.marc.build import one_by_one
from include.marc.iso2709 import compiled
from include.marc.iso2709.pieces import BETWEEN
from include.marc.marcxml import compiled as compiled_xml
from include.marc.record import Record
from include.marc.write.marcxml import elements
from tests.marc import sanitized
from tests.marc.iso import BOOK, iso
from tests.marc.samples import FILES

BITS = [b"", b"\x1d", b"\x1e", b"\x1f", b"0", b"9", b" ", b"\n", b"\0", b"\x1b", b"\xff", b"\xc3", b"@", b"45", b"00000", b"99999"]
XML_BITS = [
    b"",
    b"<",
    b">",
    b"</",
    b"/>",
    b'"',
    b"'",
    b"&",
    b"&amp;",
    b"\xff",
    b"\xc3",
    b"\0",
    b"<!--",
    b"-->",
    b"<record>",
    b"</record>",
    b"]]>",
    b" ",
]
COLLECTION = (b'<?xml version="1.0" encoding="UTF-8"?>\n<collection xmlns="http://www.loc.gov/MARC21/slim">\n', b"</collection>\n")
Seen = tuple[list[Record], list[tuple[int, bytes, str]], list[tuple[int, int]]]


def seeds() -> list[bytes]:
    """Whole records: the samples' where they are at hand, and ours."""
    found = [iso(str(number), BOOK[: number % 6]) for number in range(20)]
    for file in FILES:
        found += [part + b"\x1d" for part in file.read_bytes()[:200_000].split(b"\x1d")[:50]]
    return found


def as_xml(records: list[bytes]) -> list[bytes]:
    """The same as elements of MARCXML."""
    return [element.encode() + b"\n" for batch in iso2709.scan(io.BytesIO(b"".join(records))) for element in elements(batch).to_pylist()]


def damaged(chance: random.Random, records: list[bytes], bits: list[bytes]) -> bytes:
    """A few records with a few bytes changed, taken out, put in, or moved."""
    raw = bytearray(b"".join(chance.choice(records) for _ in range(chance.randrange(1, 8))))
    for _ in range(chance.choice([0, 1, 1, 2, 3, 8, 40])):
        at, size = chance.randrange(len(raw) + 1), chance.choice([0, 0, 1, 1, 2, 5, 12, 60])
        raw[at : at + size] = chance.choice(bits) if chance.random() < 0.8 else chance.randbytes(chance.randrange(20))
    return bytes(raw)


def seen(scan: Callable[..., object], content: bytes, family: str, block: int) -> Seen | str:
    """Records, what was set aside, and the places of both; or why the file was refused."""
    records: list[Record] = []
    aside: list[tuple[int, bytes, str]] = []
    places: list[tuple[int, int]] = []
    try:
        for batch in scan(io.BytesIO(content), family=family, block=block):  # type: ignore[attr-defined]
            batch.value.validate(full=True)
            records += one_by_one(batch)
            places += zip(batch.offset.tolist(), batch.length.tolist(), strict=True)
            aside += [(row["offset"], row["raw"], row["reason"]) for row in batch.aside.to_pylist()]
    except Refused as refused:
        return refused.code
    places += [(offset, len(raw)) for offset, raw, _ in aside]
    return records, aside, sorted(places)


def hold(content: bytes, chance: random.Random) -> None:
    """All that must be so of any bytes read as ISO 2709. AssertionError says what is not."""
    family = chance.choice(["marc21", "unimarc", "danmarc2"])
    whole = seen(iso2709.scan, content, family, 1 << 20)
    assert not isinstance(whole, str)
    at = 0
    for offset, length in whole[2]:
        assert offset >= at, "two records have one byte"
        assert not content[at:offset].replace(b"\xef\xbb\xbf", b"").strip(BETWEEN), "bytes are in no record, and not set aside"
        at = offset + length
    assert not content[at:].strip(BETWEEN), "bytes at the end are in no record, and not set aside"
    assert all(content[offset : offset + len(raw)] == raw for offset, raw, _ in whole[1]), "other bytes are set aside than there are"
    _same(iso2709.scan, content, family, chance.randrange(1, 3_000), whole)


def hold_xml(content: bytes, chance: random.Random) -> None:
    """All that must be so of any bytes read as XML."""
    family = chance.choice(["marc21", "danmarc2"])
    whole = seen(marcxml.scan, content, family, 1 << 20)
    if not isinstance(whole, str):
        assert all(content[offset : offset + len(raw)] == raw for offset, raw, _ in whole[1]), "other bytes are set aside than there are"
    _same(marcxml.scan, content, family, chance.randrange(50, 3_000), whole)


def _same(scan: Callable[..., object], content: bytes, family: str, block: int, whole: Seen | str) -> None:
    assert seen(scan, content, family, block) == whole, "small blocks give something else"
    if compiled.functions() is not None:
        with numpy_only():
            assert seen(scan, content, family, 1 << 20) == whole, "NumPy gives something else than compiled code"


class numpy_only:
    """Reads without the compiled kernels."""

    def __enter__(self) -> None:
        self.functions = (compiled.functions, compiled_xml.functions)
        compiled.functions = compiled_xml.functions = lambda: None  # type: ignore[assignment]

    def __exit__(self, *_: object) -> None:
        compiled.functions, compiled_xml.functions = self.functions


def main(seconds: float, seed: int, keep: Path) -> int:
    """Rounds until the time is over; bytes that fail are kept in a file. Returns how many rounds there were."""
    records = seeds()
    elements_, end, rounds = as_xml(records), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        chance = random.Random(seed + rounds)
        xml = rounds % 3 == 2
        content = damaged(chance, elements_, XML_BITS) if xml else damaged(chance, records, BITS)
        content = COLLECTION[0] + content + COLLECTION[1] if xml else content
        try:
            (hold_xml if xml else hold)(content, chance)
        except Exception:
            keep.write_bytes(content)
            print(f"round {seed + rounds} fails; its bytes are in {keep}")
            raise
        rounds += 1
    return rounds


def _again_sanitized() -> None:
    """The same run in a process whose compiled readers watch each byte."""
    with tempfile.TemporaryDirectory() as folder:
        around = sanitized.environment(Path(folder))
        if around is None:
            sys.exit("there is no compiler with sanitizers")
        rest = [one for one in sys.argv[1:] if one != "--sanitized"]
        sys.exit(subprocess.run([sys.executable, "-m", "tests.marc.fuzz", *rest], env=around, check=False).returncode)


if __name__ == "__main__":
    given = argparse.ArgumentParser(prog="python -m tests.marc.fuzz", description=__doc__)
    given.add_argument("--minutes", type=float, default=10)
    given.add_argument("--seed", type=int, default=int(time.time()))
    given.add_argument("--sanitized", action="store_true", help="compiled readers with address and undefined-behaviour sanitizers")
    asked = given.parse_args()
    if asked.sanitized:
        _again_sanitized()
    print(f"{main(asked.minutes * 60, asked.seed, Path('fuzz-failed.mrc')):,} rounds, nothing found")
