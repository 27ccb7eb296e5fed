"""What was sent is forgotten once no upload looks at it any more; and is not sent again for that."""

from __future__ import annotations

from datetime import timedelta

import time_machine

from include.engine import clock
from include.engine.replay import replay
from include.engine.retention import enforce
from tests.connectors.adhl.upload.conftest import DAY, today


def settled(lending) -> set[str]:
    return {row["record"] for row in lending.rows("settled", "record")}


def test_what_was_settled_goes_once_uploads_look_back_no_further_and_not_before(lending) -> None:
    lending.settle(late="30 days")
    lending.patrons("1")
    lending.loans({"loan_id": "1"}, {"loan_id": "2", "event": "renewal"})
    lending.upload()
    assert len(settled(lending)) == 2
    with time_machine.travel(clock.now() + timedelta(days=31)):
        assert enforce(lending.engine).settled == 0
    with time_machine.travel(clock.now() + timedelta(days=34)):
        assert enforce(lending.engine).settled == 2
        assert enforce(lending.engine).settled == 0, "done again it finds nothing"
    assert settled(lending) == set()


def test_longer_late_afterwards_sends_no_loan_a_second_time(lending) -> None:
    lending.settle(late="30 days")
    lending.patrons("1")
    lending.loans({"loan_id": "1"})
    first = lending.upload()
    assert first.counts.published == 1
    with time_machine.travel(clock.now() + timedelta(days=40)):
        lending.loans({"loan_id": "2", "loaned_on": today() - DAY})
        enforce(lending.engine)
        lending.settle(late="400 days")
        assert lending.upload().counts.published == 1
        again = replay(lending.engine, first.id, who="kirsten")
        lending.claimed()
        assert lending.run(again.id).counts.published == 0, "a replay reaches as far back as the memory"
    lending.posthus.look()
    assert len(lending.posthus.lines()) == 2
