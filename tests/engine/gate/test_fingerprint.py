"""The override of whose fingerprint a frame has does what the decision record says, and no more: docs/decisions/gate-fingerprint.md"""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest
from great_expectations.execution_engine import pandas_execution_engine

from include.engine.contract.suite import suite
from include.engine.gate import fingerprint, judge
from include.engine.gate.frame import columns_of, frame
from tests.engine.gate.loans import ILS_LOAN, TODAY, batch, loan


@pytest.fixture
def as_shipped(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    judge._batch_definition()
    monkeypatch.setattr(pandas_execution_engine, fingerprint.NAME, fingerprint._as_shipped)
    yield


def judged() -> dict[str, tuple[bool, int, list[int]]]:
    rows = batch(loan(1), loan(2, kind="hjem"), loan(3, renewals=-1, due_on=None))
    made = frame(rows, ILS_LOAN, columns_of(ILS_LOAN.rules))
    answers = judge.judge(made, suite(ILS_LOAN, TODAY), "mine")
    return {rule: (answer.success, answer.checked, answer.positions.tolist()) for rule, answer in answers.items()}


def test_a_frame_that_carries_its_fingerprint_keeps_it() -> None:
    made = pd.DataFrame({"a": [1]})
    made.attrs[fingerprint.ATTRIBUTE] = "delivery:contract:1"
    assert fingerprint.fingerprint(made) == "delivery:contract:1"


def test_a_frame_without_one_is_hashed_as_shipped() -> None:
    made = pd.DataFrame({"a": [1, 2]})
    assert fingerprint.fingerprint(made) == fingerprint._as_shipped(made)


def test_great_expectations_still_asks_for_the_fingerprint_where_we_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    judge._batch_definition()
    asked: list[str] = []

    def spy(made: pd.DataFrame) -> str:
        asked.append(fingerprint.fingerprint(made))
        return asked[-1]

    monkeypatch.setattr(pandas_execution_engine, fingerprint.NAME, spy)
    judged()
    assert set(asked) == {"mine"}


def test_the_answers_are_those_of_great_expectations_as_shipped(request: pytest.FixtureRequest) -> None:
    ours = judged()
    request.getfixturevalue("as_shipped")
    assert judged() == ours
    assert ours["kind_known"] == (False, 3, [1])


def test_a_release_without_the_function_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fingerprint, "_as_shipped", None)
    with pytest.raises(RuntimeError, match="gate-fingerprint"):
        fingerprint.install()
