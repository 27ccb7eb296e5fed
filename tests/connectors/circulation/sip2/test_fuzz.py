"""A short time of what `make fuzz` does for long, with hypothesis: bytes that no machine sends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.circulation.sip2 import framing, server
from connectors.circulation.sip2.codec import parse, write
from connectors.circulation.sip2.framing import Lines
from connectors.circulation.sip2.server import Connection
from connectors.circulation.sip2.session import Session
from connectors.circulation.sip2.table import FIELDS
from tests.connectors.circulation.sip2 import trial
from tests.connectors.circulation.sip2.fuzz import by_chance, seeds
from tests.connectors.circulation.sip2.test_codec import GOLDEN
from tests.connectors.circulation.sip2.trial import Talk, library, lines

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


@pytest.fixture
def broken() -> Iterator[Talk]:
    """One of its own, for a fault leaves its machines hanging."""
    with library() as found:
        yield Talk(found)


@settings(max_examples=400, deadline=None)
@given(_bytes)
def test_any_bytes_are_lines_that_can_be_answered_or_refused(data: bytes) -> None:
    lines(data)


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture])
@given(data=_bytes)
def test_whatever_two_machines_say_neither_gets_the_other_s_answers(talk: Talk, data: bytes) -> None:
    talk.hold(data)


class TestAPlantedFaultIsFound:
    """What the long run looks for, it would see."""

    def test_a_last_answer_that_all_connections_share(self, broken: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        last = [b""]

        class Shared(Session):
            async def answer(self, raw: bytes) -> bytes:
                if raw != b"97":
                    last[0] = await super().answer(raw)
                return last[0]

        monkeypatch.setattr(server, "Session", Shared)
        with pytest.raises(AssertionError, match="an answer of the other machine"):
            broken.hold(b"9900802.00\xff9900802.00\xff97")
        with pytest.raises(AssertionError, match="never asked"):
            broken.hold(GOLDEN["item information"].encode() + b"\xff97")

    def test_an_answer_too_many(self, broken: Talk, monkeypatch: pytest.MonkeyPatch) -> None:
        class Talkative(Connection):
            def data_received(self, data: bytes) -> None:
                super().data_received(data + (b"97\r" if b"99" in data else b""))

        monkeypatch.setattr(trial, "Connection", Talkative)
        with pytest.raises(AssertionError, match="more answers than questions"):
            broken.hold(b"9900802.00")

    def test_a_line_that_is_lost_where_a_segment_ends(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(Lines, "feed", lambda self, data: [line for line in data.split(b"\r") if line])
        with pytest.raises(AssertionError):
            lines(b"9900802.00\r97\r")

    def test_a_line_without_end_that_is_kept(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(framing, "LONGEST", 10**9)
        with pytest.raises(AssertionError, match="what has no end is kept"):
            lines(b"x" * 20_000)

    def test_a_field_that_is_written_and_not_read_again(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(trial, "write", lambda code, fixed, fields: write(code, {}, fields))
        with pytest.raises(AssertionError):
            lines(b"".join(line.encode() + b"\r" for line in GOLDEN.values()))

    def test_whatever_it_is_the_bytes_that_showed_it_are_left(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        seeds(tmp_path)
        by_chance(tmp_path, 1, 300, 600)
        assert not list(tmp_path.glob("crash-*"))
        monkeypatch.setattr(trial, "parse", lambda line: 1 / 0 if line.startswith("97") else parse(line))
        with pytest.raises(ZeroDivisionError):
            by_chance(tmp_path, 1, 300, 600)
        assert b"97" in next(tmp_path.glob("crash-*")).read_bytes()
