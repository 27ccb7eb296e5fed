"""Bad archives: each has its reason code and a receipt, its bytes are kept, and its neighbours are delivered."""

from __future__ import annotations

import gzip
import zipfile
from dataclasses import dataclass

import pytest

from include.engine.delivery import Delivery, State
from tests.flows.conftest import Make
from tests.flows.files import GOOD, ITEMS, NEIGHBOUR, csv, damaged, items, zipped
from tests.house import House, refused

STORED = zipped({"a.csv": GOOD}, zipfile.ZIP_STORED)
BAD = {
    "items_bomb.zip": ("ARCHIVE_BOMB", zipped({"a.csv": GOOD + b" " * 5_000_000})),
    "items_bomb.gz": ("ARCHIVE_BOMB", gzip.compress(GOOD + b" " * 5_000_000)),
    "items_nested.zip": ("ARCHIVE_NESTED", zipped({"inner.zip": zipped({"a.csv": GOOD})})),
    "items_zip_slip.zip": ("ARCHIVE_UNSAFE_NAME", zipped({"../../lake/a.csv": GOOD})),
    "items_absolute.zip": ("ARCHIVE_UNSAFE_NAME", zipped({"/tmp/a.csv": GOOD})),
    "items_encrypted.zip": (
        "ARCHIVE_ENCRYPTED",
        damaged(damaged(STORED, b"PK\3\4\x14\0\0", b"PK\3\4\x14\0\1"), b"PK\1\2\x14\3\x14\0\0", b"PK\1\2\x14\3\x14\0\1"),
    ),
    "items_bad_crc.zip": ("ARCHIVE_BAD_CRC", damaged(STORED, b"t1,B00001", b"t1,B00007")),
    "items_bad_crc.gz": ("ARCHIVE_BAD_CRC", damaged(gzip.compress(GOOD, compresslevel=0), b"t1,B00001", b"t1,B00007")),
    "items_truncated.zip": ("ARCHIVE_TRUNCATED", STORED[:-30]),
    "items_truncated.gz": ("ARCHIVE_TRUNCATED", gzip.compress(GOOD)[:-12]),
    "items_no_file.zip": ("ARCHIVE_EMPTY", zipped({})),
}


@dataclass(frozen=True)
class Full:
    """One inbox with everything in it, and what became of each file."""

    library: House
    done: dict[str, Delivery]


@pytest.fixture(scope="module")
def full(shared: Make) -> Full:
    library = shared()
    for name, (_, content) in BAD.items():
        library.drop(name, content)
    library.drop("items_good.zip", zipped({"one.csv": NEIGHBOUR, "sub/två.csv": csv(ITEMS, [*items(8001, 2), "torn"])}))
    library.drop("items_good.csv.gz", gzip.compress(csv(ITEMS, items(7001, 2))))
    return Full(library, library.all_taken())


@pytest.mark.parametrize("name", BAD)
def test_a_bad_archive_is_refused_said_in_four_languages_and_kept(full: Full, name: str) -> None:
    code, content = BAD[name]
    done = full.done[name]
    refused(full.library, done, code)
    assert full.library.landed(done) == content
    assert not [row for row in full.library.rows("item") if row["_delivery"] == done.id]


def test_the_receipt_names_what_is_wrong_inside(full: Full) -> None:
    assert "arkivet indeholder et andet arkiv (inner.zip)" in full.library.receipt(full.done["items_nested.zip"])
    assert "(../../lake/a.csv)" in full.library.receipt(full.done["items_zip_slip.zip"])


def test_the_good_neighbours_are_delivered_packed_as_they_are(full: Full) -> None:
    packed, bare = full.done["items_good.zip"], full.done["items_good.csv.gz"]
    assert (packed.state, packed.counts.in_, packed.counts.published, packed.counts.quarantined) == (State.ACKNOWLEDGED, 6, 5, 1)
    assert (bare.state, bare.counts.published) == (State.ACKNOWLEDGED, 2)
    assert "post 3 (sub/två.csv)" in full.library.receipt(packed), "the record is found again in its own file"
    assert full.library.kept(packed) == {"ROW_RAGGED": [b"torn\n"]}
