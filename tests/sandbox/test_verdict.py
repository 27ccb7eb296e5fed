"""The demo's verdict holds what came of a file against its answer sheet, at any hour."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from include.engine.delivery import Counts, Delivery, State
from include.sandbox.deliveries import Drop
from include.sandbox.demo.verdict import differences
from include.sandbox.world.answers import Changes


def _of(changed: int, unchanged: int) -> tuple[Drop, Delivery]:
    """A file of 3,000 loans that come again, of which 6 were to change; and its delivery."""
    answer = SimpleNamespace(
        outcome="published", records=3000, good=3000, set_aside={}, changes={"loan": Changes(changed=6, unchanged=2994)}, reason=None
    )
    drop = Drop("molendal", "smb", "plain", Path("x"), "loans.csv", cast(Any, answer))
    facts = {"published": {"loan": {"added": 0, "changed": changed, "deleted": 0, "unchanged": unchanged}}}
    done = SimpleNamespace(
        state=State.ACKNOWLEDGED, counts=Counts(in_=3000, published=3000), facts=facts, table="loan", reason=None, message=None
    )
    return drop, cast(Delivery, done)


def test_a_loan_whose_patron_was_let_go_of_at_midnight_is_changed_and_that_is_right() -> None:
    assert differences(*_of(11, 2989), {}, overnight=True) == []
    assert differences(*_of(6, 2994), {}, overnight=True) == []
    assert differences(*_of(11, 2989), {}) == ["loan changed 11, and 6 was due", "loan unchanged 2989, and 2994 was due"]


@pytest.mark.parametrize(("changed", "unchanged"), [(5, 2995), (11, 2988), (5, 2994)])
def test_a_loan_too_few_is_wrong_at_midnight_too(changed: int, unchanged: int) -> None:
    assert differences(*_of(changed, unchanged), {}, overnight=True) != []
