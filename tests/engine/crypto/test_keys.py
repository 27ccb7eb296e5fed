"""Keys are made, found, destroyed, and never shown."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from include.engine.crypto.keys import DataKey, MemoryKeyStore
from include.engine.errors import KeyDestroyed, Tampered


def test_a_key_never_shows_its_secret() -> None:
    key = DataKey("delivery-1", b"s" * 32)
    assert "sss" not in repr(key) + str(key)


def test_a_secret_of_another_length_is_refused_without_being_shown() -> None:
    with pytest.raises(ValueError, match="32 bytes, not 3") as refusal:
        DataKey("delivery-1", b"abc")
    assert "abc" not in str(refusal.value)
    with pytest.raises(ValueError, match="key id"):
        DataKey("", bytes(32))


def test_keys_of_a_subject_are_found_oldest_first_while_they_live() -> None:
    keys = MemoryKeyStore()
    one, two = keys.create("delivery", "a"), keys.create("delivery", "a")
    keys.create("delivery", "b")
    assert one.secret != two.secret
    assert keys.find("delivery", "a") == [one.key_id, two.key_id]
    keys.destroy(one.key_id, why="erasure")
    keys.destroy(one.key_id, why="again")
    assert keys.find("delivery", "a") == [two.key_id]
    with pytest.raises(KeyDestroyed, match="erasure"):
        keys.get(one.key_id)


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(Tampered, match="delivery-404"):
        MemoryKeyStore().get("delivery-404")
    with pytest.raises(Tampered, match="delivery-404"):
        MemoryKeyStore().destroy("delivery-404", why="x")


def test_callers_at_once_get_one_and_the_same_key() -> None:
    keys = MemoryKeyStore()
    with ThreadPoolExecutor(8) as pool:
        got = set(pool.map(lambda _: keys.ensure("pseudonym-lake", "lindeby").key_id, range(64)))
    assert len(got) == 1
