"""Resumption tokens: what was signed comes back, anything else is refused."""

from __future__ import annotations

import pytest
import time_machine
from hypothesis import given
from hypothesis import strategies as st

from connectors.oai_pmh.provider.tokens import PREFIXES, VERBS, BadToken, Token, read, sign
from tests.connectors.oai_pmh.provider.house import KEY, Shelf, ask, row

OTHER = bytes(32)
numbers = st.integers(0, 2**63 - 1)
made = st.builds(
    Token,
    generation=st.just("0a1b2c3d"),
    verb=st.sampled_from(VERBS),
    prefix=st.sampled_from(PREFIXES),
    set=st.text("abcdefghij:_-.0123456789", max_size=80),
    after=numbers,
    bound=numbers,
    cursor=numbers,
    size=numbers,
    expires=st.integers(0, 2**32 - 1),
)


@given(made)
def test_a_token_comes_back_as_it_was_and_needs_no_escape(token: Token) -> None:
    text = sign(token, KEY)
    assert all(letter.isalnum() or letter in "-_" for letter in text)
    assert read(text, [KEY], generation="0a1b2c3d", verb=token.verb, now=token.expires) == token
    assert read(text, [OTHER, KEY], generation="0a1b2c3d", verb=token.verb, now=0) == token


@given(made, st.integers(0, 300), st.sampled_from("abcXYZ019-_"))
def test_a_token_of_which_a_letter_was_changed_is_refused(token: Token, at: int, letter: str) -> None:
    text = sign(token, KEY)
    at %= len(text)
    if text[at] != letter:
        with pytest.raises(BadToken):
            read(text[:at] + letter + text[at + 1 :], [KEY], generation="0a1b2c3d", verb=token.verb, now=0)


@given(st.one_of(st.text(max_size=200), st.binary(max_size=100).map(bytes.hex)))
def test_a_token_out_of_thin_air_is_refused(text: str) -> None:
    with pytest.raises(BadToken):
        read(text, [KEY], generation="0a1b2c3d", verb="ListRecords", now=0)


TOKEN = Token("0a1b2c3d", "ListRecords", "oai_dc", "", 3, 9, 3, 9, 1000)


@pytest.mark.parametrize(
    ("keys", "generation", "verb", "now", "words"),
    [
        ([OTHER], "0a1b2c3d", "ListRecords", 0, "no token of ours"),
        ([KEY], "ffffffff", "ListRecords", 0, "replaced"),
        ([KEY], "0a1b2c3d", "ListIdentifiers", 0, "ListRecords"),
        ([KEY], "0a1b2c3d", "ListRecords", 1001, "expired"),
    ],
)
def test_a_token_of_another_key_index_verb_or_time_is_refused_with_the_reason(
    keys: list[bytes], generation: str, verb: str, now: int, words: str
) -> None:
    with pytest.raises(BadToken, match=words):
        read(sign(TOKEN, KEY), keys, generation=generation, verb=verb, now=now)


def test_a_list_that_was_left_lying_too_long_begins_again(shelf: Shelf, now: time_machine.Traveller) -> None:
    shelf.put("lindeby", {"a": [row(n) for n in range(9)]})
    shelf.look()
    now.shift(10)
    first = ask(shelf.desk(), "verb=ListRecords&metadataPrefix=oai_dc")
    until = first.all("*/o:resumptionToken/@expirationDate")[0]
    assert until == "2027-01-16T09:00:00Z"
    now.move_to(1_800_090_001)
    assert ask(shelf.desk(), f"verb=ListRecords&resumptionToken={first.token}").error == "badResumptionToken"
