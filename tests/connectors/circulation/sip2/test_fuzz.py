"""A short time of what `make fuzz` does for long, with hypothesis: bytes that no machine sends."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.circulation.sip2.table import FIELDS
from tests.connectors.circulation.sip2.fuzz import Talk, library, lines
from tests.connectors.circulation.sip2.test_codec import GOLDEN

_pieces = st.one_of(
    st.sampled_from(list(GOLDEN.values())).map(str.encode),
    st.sampled_from([b"\r", b"\n", b"\xff", b"|", b"AY1AZ", b"AY", b"\x00", b"97\r", b"9300CNkiosk2|COwrong|\r"]),
    st.sampled_from([code.encode() for code in FIELDS]),
    st.binary(max_size=40),
)
_bytes = st.lists(_pieces, max_size=12).map(b"".join)


@pytest.fixture(scope="module")
def talk() -> Iterator[Talk]:
    with library() as found:
        yield Talk(found)


@settings(max_examples=400, deadline=None)
@given(_bytes)
def test_any_bytes_are_lines_that_can_be_answered_or_refused(data: bytes) -> None:
    lines(data)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=_bytes)
def test_whatever_two_machines_say_neither_gets_the_other_s_answers(talk: Talk, data: bytes) -> None:
    talk.hold(data)
