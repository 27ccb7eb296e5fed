"""Sealed files give back what went in, from any place, and refuse everything that was done to them in between."""

from __future__ import annotations

import io
import os
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.engine.crypto.keys import DataKey, MemoryKeyStore
from include.engine.crypto.seal import CHUNK, TAG, SealedReader, SealedWriter, key_id_of, open_sealed
from include.engine.errors import KeyDestroyed, Tampered

KEY = DataKey("delivery-1", bytes(range(32)))
SMALL = 64
HEADER = 8 + 1 + 4 + 1 + 32 + len("delivery-1")
STRIDE = SMALL + TAG


def sealed(data: bytes, key: DataKey = KEY, *, chunk: int = SMALL, context: str = "") -> bytes:
    raw = io.BytesIO()
    with SealedWriter(raw, key, context=context, chunk=chunk) as writer:
        writer.write(data)
    return raw.getvalue()


def opened(data: bytes, key: DataKey = KEY, *, context: str = "") -> bytes:
    with SealedReader(io.BytesIO(data), key, context=context) as reader:
        return reader.read()


@given(parts=st.lists(st.binary(max_size=200), max_size=8), chunk=st.sampled_from([1, 7, 64, 100]))
def test_what_is_written_in_any_pieces_is_read_back_whole(parts: list[bytes], chunk: int) -> None:
    raw = io.BytesIO()
    with SealedWriter(raw, KEY, chunk=chunk) as writer:
        for part in parts:
            assert writer.write(part) == len(part)
    assert opened(raw.getvalue()) == b"".join(parts)


@given(data=st.binary(max_size=400), steps=st.lists(st.tuples(st.integers(0, 420), st.integers(0, 150)), max_size=12))
def test_any_place_can_be_read_in_any_order(data: bytes, steps: list[tuple[int, int]]) -> None:
    reader = SealedReader(io.BytesIO(sealed(data)), KEY)
    plain = io.BytesIO(data)
    assert reader.size == len(data)
    for at, count in steps:
        assert reader.seek(at) == plain.seek(at) == reader.tell()
        assert reader.read(count) == plain.read(count)
    assert reader.seek(-min(3, len(data)), io.SEEK_END) == plain.seek(-min(3, len(data)), io.SEEK_END)
    assert reader.seek(1, io.SEEK_CUR) == plain.seek(1, io.SEEK_CUR)
    assert reader.read() == plain.read()


@pytest.mark.parametrize("length", [0, 1, SMALL - 1, SMALL, SMALL + 1, 2 * SMALL, 3 * SMALL + 5])
def test_lengths_at_the_edges_of_a_chunk_come_back(length: int) -> None:
    data = os.urandom(length)
    assert opened(sealed(data)) == data


def test_the_same_bytes_sealed_twice_share_nothing() -> None:
    one, other = sealed(bytes(200)), sealed(bytes(200))
    assert one[HEADER : HEADER + SMALL] != other[HEADER : HEADER + SMALL]
    assert bytes(16) not in one[HEADER:]


@settings(max_examples=200)
@given(data=st.binary(max_size=300), place=st.integers(min_value=0), bit=st.integers(0, 7))
def test_one_flipped_bit_anywhere_is_refused(data: bytes, place: int, bit: int) -> None:
    altered = bytearray(sealed(data))
    altered[place % len(altered)] ^= 1 << bit
    with pytest.raises(Tampered):
        opened(bytes(altered))


@settings(max_examples=200)
@given(data=st.binary(max_size=300), keep=st.integers(min_value=0))
def test_a_file_cut_anywhere_is_refused_before_its_first_byte(data: bytes, keep: int) -> None:
    whole = sealed(data)
    with pytest.raises(Tampered):
        SealedReader(io.BytesIO(whole[: keep % len(whole)]), KEY)


def chunks(whole: bytes) -> tuple[bytes, list[bytes]]:
    return whole[:HEADER], [whole[at : at + STRIDE] for at in range(HEADER, len(whole), STRIDE)]


def mischief() -> Iterator[tuple[str, bytes]]:
    data = bytes(range(256))
    head, parts = chunks(sealed(data))
    _, others = chunks(sealed(data))
    foreign_head, _ = chunks(sealed(data))
    yield "two chunks change places", head + parts[1] + parts[0] + b"".join(parts[2:])
    yield "a chunk is taken out", head + parts[0] + b"".join(parts[2:])
    yield "the last chunk is taken out", head + b"".join(parts[:-1])
    yield "a chunk is there twice", head + parts[0] + b"".join(parts)
    yield "the last chunk is there twice", head + b"".join(parts) + parts[-1]
    yield "a chunk comes from another file under the same key", head + others[0] + b"".join(parts[1:])
    yield "the last chunk comes from another file", head + b"".join(parts[:-1]) + others[-1]
    yield "the header comes from another file", foreign_head + b"".join(parts)
    yield "bytes are added at the end", head + b"".join(parts) + b"x"
    yield "nothing is left but the header", head
    yield "the file is empty", b""
    yield "another kind of file stands in its place", b"PAR1" + bytes(200)
    yield "the header is cut", head[:20]
    yield "the header asks for another chunk size", head[:9] + (128).to_bytes(4, "big") + head[13:] + b"".join(parts)
    yield "the header asks for more memory than there is", head[:9] + b"\xff\xff\xff\xff" + head[13:] + b"".join(parts)
    yield "the header names another version", head[:8] + b"\x02" + head[9:] + b"".join(parts)
    yield "the key id is no text", head[:-1] + b"\xff" + b"".join(parts)


@pytest.mark.parametrize(("what", "altered"), list(mischief()), ids=lambda value: value if isinstance(value, str) else "")
def test_tampering_is_refused(what: str, altered: bytes) -> None:
    with pytest.raises(Tampered):
        opened(altered)


def test_another_secret_under_the_same_id_is_refused() -> None:
    with pytest.raises(Tampered):
        opened(sealed(b"x"), DataKey("delivery-1", bytes(32)))


def test_another_key_is_refused_and_both_are_named() -> None:
    with pytest.raises(Tampered, match=r"delivery-1.*delivery-2"):
        opened(sealed(b"x"), DataKey("delivery-2", KEY.secret))


def test_a_file_in_the_place_of_another_is_refused_where_their_contexts_differ() -> None:
    assert opened(sealed(b"loans", context="landing/0"), context="landing/0") == b"loans"
    with pytest.raises(Tampered):
        opened(sealed(b"loans", context="landing/0"), context="landing/1")


def test_an_altered_chunk_does_not_keep_its_neighbours_from_being_read_but_is_never_returned() -> None:
    data = bytes(range(200))
    altered = bytearray(sealed(data))
    altered[HEADER + STRIDE + 3] ^= 1
    reader = SealedReader(io.BytesIO(bytes(altered)), KEY, where="landing/lindeby")
    assert reader.read(SMALL) == data[:SMALL]
    with pytest.raises(Tampered, match=r"landing/lindeby.*part 2 of 4") as refusal:
        reader.read(1)
    assert refusal.value.code == "SEAL_BROKEN"
    reader.seek(2 * SMALL)
    assert reader.read(10) == data[2 * SMALL : 2 * SMALL + 10]


def test_a_writer_that_fails_inside_with_leaves_a_file_that_is_refused() -> None:
    raw = io.BytesIO()
    with pytest.raises(RuntimeError), SealedWriter(raw, KEY, chunk=SMALL) as writer:
        writer.write(bytes(200))
        raise RuntimeError
    with pytest.raises(Tampered):
        opened(raw.getvalue())


def test_a_writer_that_is_forgotten_leaves_a_file_that_is_refused() -> None:
    raw = io.BytesIO()
    SealedWriter(raw, KEY, chunk=SMALL).write(bytes(200))
    with pytest.raises(Tampered):
        opened(raw.getvalue())


class FullDisk(io.BytesIO):
    def write(self, data: object, /) -> int:
        if self.tell() + len(data) > HEADER + STRIDE:  # type: ignore[arg-type]
            raise OSError(28, "No space left on device")
        return super().write(data)  # type: ignore[arg-type]


def test_a_full_disk_leaves_a_file_that_is_refused_and_a_writer_that_writes_no_more() -> None:
    raw = FullDisk()
    writer = SealedWriter(raw, KEY, chunk=SMALL)
    with pytest.raises(OSError, match="No space"):
        writer.write(bytes(4 * SMALL))
    with pytest.raises(OSError, match="earlier write"):
        writer.write(bytes(4 * SMALL))
    writer.close()
    with pytest.raises(Tampered):
        opened(raw.getvalue())


def test_a_raw_file_that_takes_few_bytes_at_a_time_gets_them_all(tmp_path: Path) -> None:
    class Slow(io.FileIO):
        def write(self, data: object, /) -> int:
            return super().write(bytes(data)[:5])  # type: ignore[call-overload]

    with Slow(tmp_path / "x", "w") as raw, SealedWriter(raw, KEY, chunk=SMALL) as writer:  # type: ignore[arg-type]
        writer.write(bytes(200))
    assert opened((tmp_path / "x").read_bytes()) == bytes(200)


def test_a_closed_writer_and_reader_refuse_use_and_close_twice() -> None:
    raw = io.BytesIO()
    writer = SealedWriter(raw, KEY)
    assert writer.writable()
    writer.close()
    writer.close()
    assert not raw.closed, "the caller still has to fsync"
    with pytest.raises(ValueError, match="closed"):
        writer.write(b"x")
    reader = SealedReader(io.BytesIO(raw.getvalue()), KEY)
    assert reader.readable() and reader.seekable()
    with pytest.raises(OSError, match="before the file's beginning"):
        reader.seek(-1)
    reader.close()
    reader.close()
    with pytest.raises(ValueError, match="closed"):
        reader.read(1)


def test_a_chunk_size_out_of_bounds_is_refused() -> None:
    with pytest.raises(ValueError, match="a chunk is"):
        SealedWriter(io.BytesIO(), KEY, chunk=0)


def test_a_file_names_its_key_without_being_opened() -> None:
    raw = io.BytesIO(b"before" + sealed(b"after"))
    raw.seek(6)
    assert key_id_of(raw) == "delivery-1"
    assert raw.tell() == 6
    assert SealedReader(raw, KEY).read() == b"after"


def test_a_file_whose_key_was_destroyed_says_so() -> None:
    keys = MemoryKeyStore()
    key = keys.create("delivery", "lindeby__loan__20261121T0300__0a1b2c3d")
    data = sealed(b"x", key)
    assert open_sealed(io.BytesIO(data), keys).read() == b"x"
    keys.destroy(key.key_id, why="retention")
    with pytest.raises(KeyDestroyed, match="retention"):
        open_sealed(io.BytesIO(data), keys)


def test_arrow_writes_and_reads_through_it() -> None:
    table = pa.table({"record": list(range(50_000)), "reason": ["LOAN_IN_FUTURE"] * 50_000})
    raw = io.BytesIO()
    with SealedWriter(raw, KEY) as writer, pa.ipc.new_file(writer, table.schema) as arrow:
        arrow.write_table(table)
    assert pa.ipc.open_file(SealedReader(io.BytesIO(raw.getvalue()), KEY)).read_all() == table


def test_memory_stays_at_a_few_chunks_whatever_the_size(tmp_path: Path) -> None:
    piece = os.urandom(1 << 18)
    tracemalloc.start()
    try:
        with (tmp_path / "large").open("wb") as raw, SealedWriter(raw, KEY) as writer:
            for _ in range(160):  # 40 MiB
                writer.write(piece)
        with SealedReader((tmp_path / "large").open("rb"), KEY) as reader:
            while reader.read(1 << 18):
                pass
        assert tracemalloc.get_traced_memory()[1] < 8 * CHUNK
    finally:
        tracemalloc.stop()
