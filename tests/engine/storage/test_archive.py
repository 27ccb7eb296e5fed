"""Archives are told by their bytes, unpacked in a stream and within limits; what is wrong with one is said with its reason code."""

from __future__ import annotations

import gzip
import io
import os
import stat
import struct
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from contextlib import suppress
from typing import BinaryIO

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.engine.crypto.keys import MemoryKeyStore
from include.engine.crypto.seal import SealedReader, SealedWriter
from include.engine.errors import Refused
from include.engine.storage.archive import Limits, members
from include.engine.storage.unpack import packing

CSV = b"loan_id;loaned_on\r\n" + b"".join(b"%d;21-11-2026\r\n" % number for number in range(2000))


def zstd(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as packed:
        packed.write(data)
    return bytes(sink.getvalue().to_pybytes())


def zipped(files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return buffer.getvalue()


def deflate64(name: str, data: bytes) -> bytes:
    """A ZIP with method 9: literals alone are packed the same in deflate and deflate64."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15, 9, zlib.Z_HUFFMAN_ONLY)
    packed = packer.compress(data) + packer.flush()
    common = struct.pack("<HHHHHIIIH", 21, 0, 9, 0, 0, zlib.crc32(data), len(packed), len(data), len(name))
    local = b"PK\x03\x04" + common[:-2] + struct.pack("<HH", len(name), 0) + name.encode()
    directory = b"PK\x01\x02" + struct.pack("<H", 21) + common[:-2] + struct.pack("<HHHHHII", len(name), 0, 0, 0, 0, 0, 0) + name.encode()
    body = local + packed
    return body + directory + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, len(directory), len(body), 0)


def unpacked(data: bytes, limits: Limits | None = None) -> dict[str, bytes]:
    return {member.name: member.stream.read() for member in members("delivery.bin", io.BytesIO(data), limits)}


def code_of(data: bytes, limits: Limits | None = None) -> str:
    with pytest.raises(Refused) as caught:
        unpacked(data, limits)
    assert "delivery.bin" in str(caught.value)
    return caught.value.code


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (CSV, {"": CSV}),
        (b"", {"": b""}),
        (b"B", {"": b"B"}),
        (gzip.compress(CSV), {"": CSV}),
        (gzip.compress(CSV) + gzip.compress(b"more") + b"\0" * 700, {"": CSV + b"more"}),
        (zstd(CSV), {"": CSV}),
        (zstd(CSV) + zstd(b"more"), {"": CSV + b"more"}),
        (zipped({"loans.csv": CSV}), {"loans.csv": CSV}),
        (zipped({"loans.csv": CSV}, zipfile.ZIP_STORED), {"loans.csv": CSV}),
        (zipped({"loans.csv": CSV}, zipfile.ZIP_BZIP2), {"loans.csv": CSV}),
        (deflate64("loans.csv", CSV), {"loans.csv": CSV}),
        (zipped({"z.csv": b"2", "a.csv": b"1", "ud\\laan.csv": b"3"}), {"a.csv": b"1", "ud/laan.csv": b"3", "z.csv": b"2"}),
        (zipped({"x.csv": b"1", "__MACOSX/._x.csv": b"mac", "d/": b"", "d/.DS_Store": b"mac"}), {"x.csv": b"1"}),
        (zipped({"la\u030an.csv": b"1"}), {"l\u00e5n.csv": b"1"}),
    ],
)
def test_a_delivery_is_the_files_in_it_whatever_its_name(data: bytes, expected: dict[str, bytes]) -> None:
    found = unpacked(data)
    assert found == expected and list(found) == sorted(expected)


@given(data=st.binary(max_size=2000), pack=st.sampled_from([gzip.compress, zstd, lambda data: zipped({"x": data})]))
@settings(max_examples=60)
def test_what_was_packed_comes_out_the_same(data: bytes, pack: Callable[[bytes], bytes]) -> None:
    if not packing(data[:512]):
        assert list(unpacked(pack(data)).values()) == [data]


@given(
    data=st.binary(min_size=1, max_size=200),
    cut=st.integers(1, 60),
    pack=st.sampled_from([gzip.compress, zstd, lambda data: zipped({"x": data})]),
)
@settings(max_examples=60)
def test_an_archive_cut_short_is_refused_and_nothing_else_happens(data: bytes, cut: int, pack: Callable[[bytes], bytes]) -> None:
    packed = pack(data)
    short = packed[: max(4, len(packed) - cut)]
    if not packing(data[:512]):
        assert code_of(short) in {"ARCHIVE_TRUNCATED", "ARCHIVE_BAD_CRC"}


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lambda data: zipped({"x.csv": data}), lambda data: deflate64("x.csv", data)])
def test_a_truncated_archive_says_so(pack: Callable[[bytes], bytes]) -> None:
    assert code_of(pack(os.urandom(5000))[:-2000]) == "ARCHIVE_TRUNCATED"


def test_a_gzip_with_a_wrong_checksum_or_with_junk_behind_it_is_damaged() -> None:
    packed = bytearray(gzip.compress(CSV))
    packed[-8] ^= 1
    assert code_of(bytes(packed)) == "ARCHIVE_BAD_CRC"
    assert code_of(gzip.compress(CSV) + b"junk") == "ARCHIVE_BAD_CRC"
    packed = bytearray(gzip.compress(CSV))
    packed[40:60] = b"\xff" * 20
    assert code_of(bytes(packed)) in {"ARCHIVE_BAD_CRC", "ARCHIVE_TRUNCATED"}
    packed = bytearray(zstd(CSV))
    packed[20:60] = b"\xff" * 40
    assert code_of(bytes(packed)) == "ARCHIVE_BAD_CRC"


@pytest.mark.parametrize("make", [zipped, lambda files: deflate64("x.csv", files["x.csv"])])
def test_a_zip_with_a_wrong_checksum_is_damaged(make: Callable[[dict[str, bytes]], bytes]) -> None:
    data = bytearray(make({"x.csv": CSV}))
    directory = data.rindex(b"PK\x01\x02")
    for at in (14, directory + 16):  # the checksum in the local header and in the directory (APPNOTE 4.3.7, 4.3.12)
        data[at] ^= 1
    assert code_of(bytes(data)) == "ARCHIVE_BAD_CRC"


def test_damage_inside_a_zip_is_told() -> None:
    data = bytearray(zipped({"x.csv": CSV}))
    data[60:90] = b"\xff" * 30
    assert code_of(bytes(data)) == "ARCHIVE_BAD_CRC"
    data = bytearray(deflate64("x.csv", CSV))
    data[45:90] = b"\xff" * 45
    assert code_of(bytes(data)) in {"ARCHIVE_BAD_CRC", "ARCHIVE_TRUNCATED"}
    data = bytearray(zipped({"x.csv": CSV}))
    data[data.rindex(b"PK\x01\x02") : data.rindex(b"PK\x01\x02") + 4] = b"PK\0\0"
    assert code_of(bytes(data)) == "ARCHIVE_TRUNCATED"


def test_a_name_that_is_not_the_utf8_that_the_archive_says_is_damage() -> None:
    data = zipped({"lån.csv": CSV})
    assert code_of(data.replace("å".encode(), b"\x86 ")) == "ARCHIVE_BAD_CRC"


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@given(at=st.integers(0), value=st.integers(0, 255), seconds=st.integers(0))
@settings(max_examples=150)
def test_whatever_byte_of_a_zip_is_another_it_is_read_or_refused(method: int, at: int, value: int, seconds: int) -> None:
    data = bytearray(zipped({"lån.csv": CSV[:400], "b.csv": b"1"}, method))
    data[at % len(data)] = value
    data[seconds % len(data)] ^= 1
    with suppress(Refused):
        unpacked(bytes(data))


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lambda data: zipped({"x.csv": data})])
def test_a_bomb_is_stopped_by_its_ratio_before_it_fills_memory(pack: Callable[[bytes], bytes]) -> None:
    bomb = pack(b"\0" * 60_000_000)
    tracemalloc.start()
    try:
        assert code_of(bomb) == "ARCHIVE_BOMB"
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 30_000_000


@pytest.mark.parametrize("pack", [gzip.compress, zstd, lambda data: zipped({"x.csv": data})])
def test_an_archive_is_stopped_at_the_byte_cap(pack: Callable[[bytes], bytes]) -> None:
    data = os.urandom(3000)
    assert code_of(pack(data), Limits(max_bytes=2999)) == "ARCHIVE_BOMB"
    assert list(unpacked(pack(data), Limits(max_bytes=3000)).values()) == [data]


def test_a_zip_that_lies_about_its_sizes_or_holds_too_many_files_is_stopped() -> None:
    data = bytearray(zipped({"x.csv": b"\0" * 60_000_000}))
    for at in (22, data.rindex(b"PK\x01\x02") + 24):
        data[at : at + 4] = struct.pack("<I", 1000)
    assert code_of(bytes(data)) == "ARCHIVE_BAD_CRC", "no more is unpacked than was announced"
    assert code_of(zipped({str(number): b"" for number in range(4)}), Limits(members=3)) == "ARCHIVE_BOMB"


def test_small_files_may_be_as_repetitive_as_they_like() -> None:
    assert unpacked(gzip.compress(b"0" * 900_000)) == {"": b"0" * 900_000}


@pytest.mark.parametrize("inner", [gzip.compress(CSV), zipped({"x": CSV}), zstd(CSV), b"7z\xbc\xaf\x27\x1c" + CSV])
@pytest.mark.parametrize("outer", [gzip.compress, zstd, lambda data: zipped({"x.csv": data})])
def test_an_archive_in_an_archive_is_refused(inner: bytes, outer: Callable[[bytes], bytes]) -> None:
    assert code_of(outer(inner)) == "ARCHIVE_NESTED"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/../../x", "/etc/passwd", "C:\\x.csv", "c:x.csv", "..\\x.csv", "\\\\server\\share\\x", "two\nlines.csv"]
)
def test_a_name_that_leads_elsewhere_is_refused_before_anything_is_unpacked(name: str) -> None:
    given = io.BytesIO(zipped({"a_good.csv": b"1", name: b"x"}))
    with pytest.raises(Refused) as caught:
        next(members("x.zip", given))
    assert caught.value.code == "ARCHIVE_UNSAFE_NAME"
    assert "\n" not in str(caught.value)


def test_a_link_in_an_archive_and_a_name_given_twice_are_refused() -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        link = zipfile.ZipInfo("x.csv")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    assert code_of(buffer.getvalue()) == "ARCHIVE_UNSAFE_NAME"
    assert code_of(zipped({"a/x.csv": b"1", "a\\x.csv": b"2"})) == "ARCHIVE_UNSAFE_NAME"


@pytest.mark.parametrize(("flag", "method"), [(0x1, 8), (0x41, 8), (0x1, 99)])
def test_an_archive_with_a_password_is_refused(flag: int, method: int) -> None:
    data = bytearray(zipped({"x.csv": CSV}))
    directory = data.rindex(b"PK\x01\x02")
    for at in (6, directory + 8):
        data[at : at + 2] = struct.pack("<H", flag)
        data[at + 2 : at + 4] = struct.pack("<H", method)
    assert code_of(bytes(data)) == "ARCHIVE_ENCRYPTED"


@pytest.mark.parametrize(
    "data",
    [
        b"\xfd7zXZ\x00" + CSV,
        b"Rar!\x1a\x07\x00" + CSV,
        b"BZh91AY&SY" + CSV,
        b"x.csv".ljust(257, b"\0") + b"ustar" + CSV,
        zipped({"[Content_Types].xml": b"<Types/>", "xl/workbook.xml": b"<x/>"}),
    ],
)
def test_other_packings_and_office_documents_are_refused_by_name(data: bytes) -> None:
    assert code_of(data) == "ARCHIVE_UNKNOWN"


def test_an_unknown_method_and_an_empty_archive_are_refused() -> None:
    data = bytearray(zipped({"x.csv": CSV}))
    for at in (8, data.rindex(b"PK\x01\x02") + 10):
        data[at : at + 2] = struct.pack("<H", 97)
    assert code_of(bytes(data)) == "ARCHIVE_UNKNOWN"
    assert code_of(zipped({})) == "ARCHIVE_EMPTY"
    data = bytearray(zipped({"x.csv": CSV}))
    data[data.rindex(b"PK\x01\x02") + 6] = 99  # the version of the format that is needed
    assert code_of(bytes(data)) == "ARCHIVE_UNKNOWN"


@pytest.mark.parametrize("pack", [bytes, gzip.compress, zstd, lambda data: zipped({"x": data})])
def test_sealed_archives_are_read_in_place_and_stay_open(pack: Callable[[bytes], bytes]) -> None:
    key, raw = MemoryKeyStore().create("delivery", "d"), io.BytesIO()
    with SealedWriter(raw, key) as writer:
        writer.write(pack(CSV))
    raw.seek(0)
    reader = SealedReader(raw, key)
    assert [member.stream.read() for member in members("x", as_stream(reader))] == [CSV]
    assert not reader.closed
    reader.seek(0)
    assert [member.stream.read() for member in members("x", as_stream(reader))] == [CSV]


def as_stream(reader: SealedReader) -> BinaryIO:
    return reader  # type: ignore[return-value]
