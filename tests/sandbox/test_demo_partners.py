"""The demo's partners: whatever the hour, nothing falls due while the demo runs."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors import flow_models
from include.engine.partner.loading import load_partners
from include.engine.partner.settings import ScheduledFlow
from include.engine.partner.when import next_due
from include.sandbox.demo.partners import copied, expecting

HOURS = [datetime(2026, 11, 22, 5, 59, tzinfo=UTC), datetime(2026, 11, 30, 23, 10, tzinfo=UTC), datetime(2026, 2, 1, 1, 25, tzinfo=UTC)]


@pytest.mark.parametrize("now", HOURS)
def test_no_moment_of_a_calendar_comes_within_an_hour(tmp_path: Path, now: datetime) -> None:
    found = load_partners(copied(tmp_path / "partners", now, without=("molendal",)), flow_models())
    assert found.mistakes == ()
    moments = [
        (partner, cron)
        for partner in found.partners.values()
        for flow in partner.flows.values()
        for cron in (
            *(
                flow.moments().values() if isinstance(flow, ScheduledFlow) and not flow.idle(tmp_path) else ()
            ),  # with nothing to do it starts nothing
            *(one.expected for one in getattr(flow, "deliveries", ()) if one.expected),
        )
    ]
    assert len(moments) > 15
    assert {partner.id for partner, _ in moments} == {"almvik", "havnsund", "lindeby"}
    for partner, cron in moments:
        assert next_due(cron, partner.timezone, now) > now + timedelta(hours=1)


def test_a_file_that_never_comes_is_not_expected(tmp_path: Path) -> None:
    folder = copied(tmp_path / "partners", HOURS[0])
    expecting(folder, {"havnsund": {"bib_full_20261121.mrc", "loans_20261121.csv"}, "almvik": ()})
    found = load_partners(folder, flow_models())
    assert found.mistakes == ()
    awaited = {
        partner: [one.files for one in found.partners[partner].flows["ils_import"].deliveries if one.expected]  # type: ignore[attr-defined]
        for partner in ("havnsund", "almvik")
    }
    assert awaited == {"havnsund": ["bib_full_*.mrc", "loans_*.csv"], "almvik": []}
    assert len(found.partners["lindeby"].flows["ils_import"].deliveries) == 7, "the files themselves stay declared"  # type: ignore[attr-defined]
