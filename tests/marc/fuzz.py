"""The readers under random damage, for as long as you like: python -m tests.marc.fuzz --minutes 10 (`make fuzz`)

Each round takes some real or generated records, changes bytes at random, and holds the readers to what must always be so: they come to an
end, every byte is in a record or set aside, small blocks give what large ones give, and compiled code what NumPy gives.
"""

from __future__ import annotations

import argparse
import io
import random
import time
from pathlib import Path

from include.marc.build import one_by_one
from include.marc.iso2709 import compiled, scan
from include.marc.iso2709.pieces import BETWEEN
from include.marc.record import Record
from tests.marc.iso import BOOK, iso
from tests.marc.samples import FILES

BITS = [b"", b"\x1d", b"\x1e", b"\x1f", b"0", b"9", b" ", b"\n", b"\0", b"\x1b", b"\xff", b"\xc3", b"@", b"45", b"00000", b"99999"]
Seen = tuple[list[Record], list[tuple[int, bytes, str]], list[tuple[int, int]]]


def seeds() -> list[bytes]:
    """Whole records: the samples' where they are at hand, and ours."""
    found = [iso(str(number), BOOK[: number % 6]) for number in range(20)]
    for file in FILES:
        found += [part + b"\x1d" for part in file.read_bytes()[:200_000].split(b"\x1d")[:50]]
    return found


def damaged(chance: random.Random, records: list[bytes]) -> bytes:
    """A few records with a few bytes changed, taken out, put in, or moved."""
    raw = bytearray(b"".join(chance.choice(records) for _ in range(chance.randrange(1, 8))))
    for _ in range(chance.choice([0, 1, 1, 2, 3, 8, 40])):
        at, size = chance.randrange(len(raw) + 1), chance.choice([0, 0, 1, 1, 2, 5, 12, 60])
        raw[at : at + size] = chance.choice(BITS) if chance.random() < 0.8 else chance.randbytes(chance.randrange(20))
    return bytes(raw)


def seen(content: bytes, family: str, block: int) -> Seen:
    """Records, what was set aside, and the places of both."""
    records: list[Record] = []
    aside: list[tuple[int, bytes, str]] = []
    places: list[tuple[int, int]] = []
    for batch in scan(io.BytesIO(content), family=family, block=block):  # type: ignore[arg-type]
        batch.value.validate(full=True)
        records += one_by_one(batch)
        places += zip(batch.offset.tolist(), batch.length.tolist(), strict=True)
        aside += [(row["offset"], row["raw"], row["reason"]) for row in batch.aside.to_pylist()]
    places += [(offset, len(raw)) for offset, raw, _ in aside]
    return records, aside, sorted(places)


def hold(content: bytes, chance: random.Random) -> None:
    """All that must be so of any bytes. AssertionError says what is not."""
    family = chance.choice(["marc21", "unimarc", "danmarc2"])
    library = compiled.functions()
    whole = seen(content, family, 1 << 20)
    at = 0
    for offset, length in whole[2]:
        assert offset >= at, "two records have one byte"
        assert not content[at:offset].replace(b"\xef\xbb\xbf", b"").strip(BETWEEN), "bytes are in no record, and not set aside"
        at = offset + length
    assert not content[at:].strip(BETWEEN), "bytes at the end are in no record, and not set aside"
    assert all(content[offset : offset + len(raw)] == raw for offset, raw, _ in whole[1]), "other bytes are set aside than there are"
    assert seen(content, family, chance.randrange(1, 3_000)) == whole, "small blocks give something else"
    if library is not None:
        with numpy_only():
            assert seen(content, family, 1 << 20) == whole, "NumPy gives something else than compiled code"


class numpy_only:
    """Reads without the compiled kernel."""

    def __enter__(self) -> None:
        self.functions, compiled.functions = compiled.functions, lambda: None  # type: ignore[assignment]

    def __exit__(self, *_: object) -> None:
        compiled.functions = self.functions


def main(seconds: float, seed: int, keep: Path) -> int:
    """Rounds until the time is over; bytes that fail are kept in a file. Returns how many rounds there were."""
    records, end, rounds = seeds(), time.monotonic() + seconds, 0
    while time.monotonic() < end:
        chance = random.Random(seed + rounds)
        content = damaged(chance, records)
        try:
            hold(content, chance)
        except Exception:
            keep.write_bytes(content)
            print(f"round {seed + rounds} fails; its bytes are in {keep}")
            raise
        rounds += 1
    return rounds


if __name__ == "__main__":
    given = argparse.ArgumentParser(prog="python -m tests.marc.fuzz", description=__doc__)
    given.add_argument("--minutes", type=float, default=10)
    given.add_argument("--seed", type=int, default=int(time.time()))
    asked = given.parse_args()
    print(f"{main(asked.minutes * 60, asked.seed, Path('fuzz-failed.mrc')):,} rounds, nothing found")
