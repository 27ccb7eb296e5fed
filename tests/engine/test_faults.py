"""What a task's log says of a fault that nobody foresaw: where it is, and nobody's data."""

from __future__ import annotations

import traceback

import pytest

from include.engine import faults
from include.engine.errors import BinderyError, Refused

CARD = "2100004711"


def _lost() -> None:
    try:
        {"a": 1}[CARD]
    except KeyError as missing:
        raise ValueError(f"no loan of {CARD}") from missing


def _log(error: BaseException) -> str:
    return "".join(traceback.format_exception(error))


def test_a_fault_is_told_by_kind_and_place_and_so_is_what_led_to_it() -> None:
    with pytest.raises(faults.Unforeseen) as told, faults.without_texts():
        _lost()
    said = _log(told.value)
    assert CARD not in said
    assert "ValueError (" in said and ", after KeyError (" in said
    assert "tests/engine/test_faults.py:" in str(told.value) and "in _lost" in str(told.value)
    assert "[INTERNAL]" in str(told.value)


def test_an_error_of_ours_passes_and_leaves_behind_what_caused_it() -> None:
    def refused() -> None:
        try:
            _lost()
        except ValueError as error:
            raise Refused("a loan is of nobody", where="lindeby__1") from error

    with pytest.raises(Refused) as told, faults.without_texts():
        refused()
    assert CARD not in _log(told.value)
    assert isinstance(told.value, BinderyError) and str(told.value).startswith("lindeby__1: a loan is of nobody")


def test_who_looks_for_a_fault_may_see_its_text(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(faults.SHOWN, "shown")
    with pytest.raises(ValueError, match=CARD) as found, faults.without_texts():
        _lost()
    assert faults.told(found.value).count(CARD) == 2


def test_what_loops_ends() -> None:
    first, second = ValueError(CARD), KeyError(CARD)
    first.__cause__, second.__cause__ = second, first
    assert faults.told(first) == "ValueError (), after KeyError ()"
