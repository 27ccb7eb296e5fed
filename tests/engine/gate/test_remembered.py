"""What a validation remembers changes nothing but its time, and is forgotten with it: docs/decisions/gate-fingerprint.md"""

from __future__ import annotations

from collections import Counter
from contextlib import nullcontext
from typing import Any

import pandas as pd
import pytest
from great_expectations.core.id_dict import IDDict

from include.engine.contract.suite import suite
from include.engine.gate import judge, remembered
from include.engine.gate.frame import columns_of, frame
from include.engine.gate.judge import Answer
from tests.engine.gate.loans import ILS_LOAN, TODAY, batch, loan


def judged(**more: Any) -> dict[str, tuple[bool, int, list[int]]]:
    rows = batch(loan(1), loan(2, kind="hjem"), loan(3, renewals=-1, due_on=None), loan(4, **more))
    made: pd.DataFrame = frame(rows, ILS_LOAN, columns_of(ILS_LOAN.rules))
    answers: dict[str, Answer] = judge.judge(made, suite(ILS_LOAN, TODAY), "mine")
    return {rule: (answer.success, answer.checked, answer.positions.tolist()) for rule, answer in answers.items()}


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often Great Expectations' own are asked."""
    judge._batch_definition()
    asked: Counter[str] = Counter()

    def counted(name: str, own: Any) -> Any:
        def count(*given: Any) -> Any:
            asked[name] += name != "id" or len(given[0]) > 1  # an id of fewer words takes no md5
            return own(*given)

        return count

    assert remembered._configuration is not None and remembered._configuration.fget is not None
    monkeypatch.setattr(remembered, "_to_id", counted("id", remembered._to_id))
    monkeypatch.setattr(remembered, "_to_domain_obj", counted("expectation", remembered._to_domain_obj))
    monkeypatch.setattr(remembered, "_follow", counted("follow", remembered._follow))
    monkeypatch.setattr(remembered, "_configuration", property(counted("configuration", remembered._configuration.fget)))
    remembered.install()
    return asked


@pytest.fixture(autouse=True)
def as_it_was() -> Any:
    yield
    judge._batch_definition()
    remembered.install()


def test_the_answers_are_those_of_great_expectations_as_shipped(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = judged()
    monkeypatch.setattr(judge, "remembering", nullcontext)
    assert judged() == ours
    assert ours["kind_known"] == (False, 4, [1])


def test_each_is_worked_out_a_few_times_a_rule_and_not_dozens_of_times(calls: Counter[str], monkeypatch: pytest.MonkeyPatch) -> None:
    judged()
    ours, rules = dict(calls), len(suite(ILS_LOAN, TODAY).expectations)
    calls.clear()
    monkeypatch.setattr(judge, "remembering", nullcontext)
    judged()
    assert ours["configuration"] <= 5 * rules < 20 * rules < calls["configuration"]
    assert ours["expectation"] <= 3 * rules < 6 * rules < calls["expectation"]
    assert 5 * ours["id"] < calls["id"]
    assert ours["follow"] <= 7 * rules < 30 * rules < calls["follow"]


def test_one_validation_knows_nothing_of_the_last() -> None:
    assert judged()["kind_known"][2] == [1]
    assert judged(kind="hjem")["kind_known"][2] == [1, 3]


def test_outside_of_a_validation_nothing_is_kept() -> None:
    judge._batch_definition()
    [one, *_] = suite(ILS_LOAN, TODAY).expectations
    assert one.configuration is not one.configuration
    with remembered.remembering():
        assert one.configuration is one.configuration
    assert one.configuration is not one.configuration


def test_what_differs_only_in_its_type_has_another_id() -> None:
    judge._batch_definition()
    with remembered.remembering():
        ids = [IDDict(column="a", value=value).to_id() for value in (1, 1.0, True, "1", [1], None)]
        assert ids == [IDDict(column="a", value=value).to_id() for value in (1, 1.0, True, "1", [1], None)]
    assert len(set(ids)) == len(ids)
    assert ids == [IDDict(column="a", value=value).to_id() for value in (1, 1.0, True, "1", [1], None)]


@pytest.mark.parametrize("name", ["_configuration", "_to_domain_obj", "_to_id", "_follow"])
def test_a_release_without_one_of_them_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, name, None)
    with pytest.raises(RuntimeError, match="gate-fingerprint"):
        remembered.install()
