"""A pseudonym is the same for the same patron, and tells nothing without its key."""

from __future__ import annotations

import hashlib
import hmac

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from include.engine.crypto.keys import MemoryKeyStore
from include.engine.privacy.pseudonym import LENGTH, Pseudonyms, is_pseudonym


@pytest.fixture
def keys() -> MemoryKeyStore:
    return MemoryKeyStore()


def test_the_same_patron_has_the_same_pseudonym_in_every_delivery(keys: MemoryKeyStore) -> None:
    first = Pseudonyms(keys, "lindeby", "lake").of(pa.array(["17", "18"]))
    second = Pseudonyms(keys, "lindeby", "lake").of(pa.array(["18", "17", "18"]))
    assert second.to_pylist() == [first[1].as_py(), first[0].as_py(), first[1].as_py()]


def test_it_is_hmac_sha_256_of_the_id_cut_to_128_bits(keys: MemoryKeyStore) -> None:
    names = Pseudonyms(keys, "lindeby", "lake")
    expected = hmac.digest(keys.get(names.key_id).secret, b"patron\0" + b"17", hashlib.sha256).hex()[:LENGTH]
    assert names.one("17") == expected == names.of(pa.array(["17"]))[0].as_py()


@pytest.mark.parametrize("other", [("havnsund", "lake", 1), ("lindeby", "bi", 1), ("lindeby", "lake", 2)])
def test_partners_purposes_and_epochs_share_no_pseudonym(keys: MemoryKeyStore, other: tuple[str, str, int]) -> None:
    assert Pseudonyms(keys, "lindeby", "lake").one("17") != Pseudonyms(keys, *other).one("17")


def test_a_card_number_is_not_the_patron_with_the_same_digits(keys: MemoryKeyStore) -> None:
    names = Pseudonyms(keys, "lindeby", "lake")
    assert names.one("17") != names.one("17", kind="card")


def test_nobody_has_no_pseudonym(keys: MemoryKeyStore) -> None:
    names = Pseudonyms(keys, "lindeby", "lake")
    assert names.of(pa.array(["", None], pa.string())).to_pylist() == [None, None]
    with pytest.raises(ValueError, match="empty"):
        names.one("")


def test_an_unknown_purpose_is_refused(keys: MemoryKeyStore) -> None:
    with pytest.raises(ValueError, match="no purpose"):
        Pseudonyms(keys, "lindeby", "marketing")


def test_arrays_in_pieces_dictionaries_and_slices_are_read_alike(keys: MemoryKeyStore) -> None:
    names = Pseudonyms(keys, "lindeby", "lake")
    values = pa.array(["1", "2", None, "1"])
    plain = names.of(values)
    assert names.of(values.dictionary_encode()) == plain
    assert names.of(pa.chunked_array([values[:2], values[2:]])) == plain
    assert names.of(values[1:]) == plain[1:]
    assert names.of(pa.array([], pa.string())).to_pylist() == []


@given(st.lists(st.text(min_size=1, max_size=20), unique=True, max_size=50))
def test_different_patrons_have_different_pseudonyms_of_one_shape(ids: list[str]) -> None:
    made = Pseudonyms(MemoryKeyStore(), "lindeby", "lake").of(pa.array(ids, pa.string()))
    assert len(set(made.to_pylist())) == len(ids)
    assert all(is_pseudonym(made).to_pylist())
