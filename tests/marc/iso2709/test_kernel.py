"""The compiled reader and NumPy's give the same, array by array, on clean bytes, damaged bytes and any bytes."""

from __future__ import annotations

import ctypes
import random
from dataclasses import astuple
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from include.marc.charsets import utf8
from include.marc.iso2709 import compiled, directory, subfields
from include.marc.iso2709.blocks import SPARE
from include.marc.iso2709.shapes import AT, HIGH
from include.marc.iso2709.tags import wanted
from tests.marc.iso import everything, iso
from tests.marc.iso2709.damages import DAMAGES
from tests.marc.samples import FILES, needs_samples

LIBRARY = compiled.functions()
needs_compiler = pytest.mark.skipif(LIBRARY is None, reason="there is no C compiler, so there is no compiled reader")


def both(content: bytes, **choices: Any) -> None:
    """Read the block in both ways, and compare all that comes out."""
    assert isinstance(LIBRARY, ctypes.CDLL)
    buffer = np.zeros(len(content) + SPARE, np.uint8)
    buffer[: len(content)] = np.frombuffer(content, np.uint8)
    ours, oracle = (read(buffer, len(content), **choices) for read in (lambda *a, **k: compiled.fields(LIBRARY, *a, **k), directory.fields))
    for one, other in zip(ours, oracle, strict=True):
        assert same(astuple(one), astuple(other))
    fields, area = oracle[1], buffer[: len(content)]
    look = np.ones(len(oracle[0].start), np.bool_)
    tag = np.arange(len(fields.key), dtype=np.int16)
    assert same(astuple(compiled.rows(LIBRARY, area, fields, tag, look)), astuple(subfields.rows(area, fields, tag, look)))


def same(ours: tuple[Any, ...], oracle: tuple[Any, ...]) -> bool:
    return all(np.array_equal(one, other) and one.dtype == other.dtype for one, other in zip(ours, oracle, strict=True))


@needs_compiler
@needs_samples
@pytest.mark.parametrize("file", FILES, ids=lambda file: file.name)
def test_every_sample_is_read_the_same(file: Path) -> None:
    content = file.read_bytes()
    both(content, subfields_below_010=False)
    both(content, subfields_below_010=False, wanted=wanted(["001", "245", "6XX"]))


@needs_compiler
@pytest.mark.parametrize("damage", DAMAGES, ids=lambda damage: damage.name)
@pytest.mark.parametrize("danmarc2", [False, True])
def test_every_damage_is_read_the_same(damage: Any, danmarc2: bool) -> None:
    both(iso("1") + damage.change(iso("5")) + iso("8"), subfields_below_010=danmarc2)


@needs_compiler
@settings(max_examples=300, deadline=None)
@given(st.integers(0, 2**32))
def test_any_change_of_any_byte_is_read_the_same(seed: int) -> None:
    chance = random.Random(seed)
    raw = bytearray(
        iso("1", [("245", b"10\x1faA\x1f\xc3\xb8B@\x1f\xe2\x82\xacC"), ("008", b"x"), ("650", b"  \x1fa\xc3\xa6\x1f\x1fb\x1b")]) * 2
    )
    for _ in range(chance.randrange(4)):
        at = chance.randrange(len(raw))
        raw[at : at + chance.randrange(3)] = chance.choice([b"", b"\x1d", b"\x1e", b"7", b"\xff", b"\x1f", b"\0", b" ", b"@"])
    both(bytes(raw), subfields_below_010=bool(seed % 2))


@needs_compiler
@given(st.binary(max_size=300))
def test_any_bytes_are_read_the_same(content: bytes) -> None:
    both(content, subfields_below_010=False)


PARTS = st.one_of(st.binary(max_size=20), st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")))


@needs_compiler
@given(st.lists(PARTS, max_size=8), st.lists(PARTS, max_size=4))
def test_values_are_cut_and_judged_the_same(parts: list[bytes], others: list[bytes]) -> None:
    assert isinstance(LIBRARY, ctypes.CDLL)
    values = [*parts, *others]
    end = np.cumsum([len(value) for value in values]).astype(np.int32)
    start = end - np.array([len(value) for value in values], np.int32)
    area, other = (np.frombuffer(b"".join(some) + b"\xbf" * SPARE, np.uint8)[:-SPARE] for some in (parts, others))
    flags = np.full(len(values), HIGH, np.uint8)
    ours, wrong = compiled.values(LIBRARY, area, other, start, end, flags)
    assert ours.to_pylist() == subfields.cut(np.concatenate([area, other]), start, end).to_pylist() == values
    assert wrong.tolist() == utf8.wrong(ours).tolist() == [row for row, value in enumerate(values) if not utf8.valid(value)]


def test_without_a_compiler_numpy_reads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    content = iso("1") + DAMAGES[0].change(iso("2")) + iso("3")
    with_compiler = everything(content)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for variable, value in (("CC", "no-such-compiler"), (compiled.SETTING, "off")):
        compiled.functions.cache_clear()
        monkeypatch.setenv(variable, value)
        assert compiled.functions() is None
        without = everything(content)
        assert (without.records, without.issues) == (with_compiler.records, with_compiler.issues)
    compiled.functions.cache_clear()


def test_flags_are_found_where_they_are_asked() -> None:
    content = iso("1", [("245", "10\x1faø@".encode())])
    buffer = np.zeros(len(content) + SPARE, np.uint8)
    buffer[: len(content)] = np.frombuffer(content, np.uint8)
    fields = directory.fields(buffer, len(content), subfields_below_010=False)[1]
    assert subfields.rows(buffer[: len(content)], fields, np.zeros(3, np.int16), np.array([True])).flags.tolist() == [0, 0, HIGH | AT]
    assert subfields.rows(buffer[: len(content)], fields, np.zeros(3, np.int16), np.array([False])).flags.tolist() == [0, 0, 0]
