"""Dates and times as libraries write them, and the two days a year on which a clock does not tell."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.ils.layouts import moments
from connectors.ils.zones import to_local, to_utc

EPOCH = datetime(1970, 1, 1)
LAYOUTS = {
    "YYYY-MM-DD hh:mm:ss": "%Y-%m-%d %H:%M:%S",
    "DD-MM-YYYY hh:mm": "%d-%m-%Y %H:%M",
    "DD/MM/YYYY": "%d/%m/%Y",
    "YYYYMMDD": "%Y%m%d",
    "YYYYMMDDhhmm": "%Y%m%d%H%M",
}
WHEN = st.datetimes(datetime(1000, 1, 1), datetime(2999, 12, 31))


def micros(moment: datetime) -> int:
    return (moment - EPOCH) // timedelta(microseconds=1)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | WHEN, min_size=1, max_size=20), st.sampled_from(sorted(LAYOUTS)))
def test_what_a_layout_writes_it_reads(times: list[datetime | None], layout: str) -> None:
    texts = [moment and moment.strftime(LAYOUTS[layout]).rjust(len(layout), "0") for moment in times]
    found = moments(pa.array(texts, pa.string()), (layout,))
    assert not found.bad.any()
    for text, value, empty in zip(texts, found.micros.tolist(), found.empty.tolist(), strict=True):
        assert empty == (text is None)
        assert text is None or value == micros(datetime.strptime(text, LAYOUTS[layout]))


@settings(max_examples=200, deadline=None)
@given(st.text("0123456789-/: .Tx", min_size=8, max_size=19), st.sampled_from(sorted(LAYOUTS)))
def test_what_is_no_date_is_bad_and_nothing_else_is(text: str, layout: str) -> None:
    try:
        expected = (
            datetime.strptime(text, LAYOUTS[layout])
            if len(text) == len(layout) and text.isascii() and " " not in text.strip() + "x"
            else None
        )
    except ValueError:
        expected = None
    found = moments(pa.array([text]), (layout,))
    if expected is not None and text[:4] != "0000":
        assert not found.bad[0] or len(text) != len(layout)
        assert found.bad[0] or found.micros[0] == micros(expected)


@pytest.mark.parametrize("text", ["30-02-2026", "2026-13-01", "00-00-0000", "29-02-2025", "1-1-2026", "", "31-04-2026", "aa-bb-cccc"])
def test_days_that_were_never_are_bad(text: str) -> None:
    assert moments(pa.array([text]), ("DD-MM-YYYY",)).bad.tolist() == [True]


def test_the_first_layout_that_fits_reads_it() -> None:
    found = moments(pa.array(["01-02-2026", "01-02-2026 10:30", None]), ("DD-MM-YYYY", "DD-MM-YYYY hh:mm"))
    assert found.timed.tolist() == [False, True, False]
    assert found.bad.tolist() == [False, False, False]


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T08:15:00Z",
        "2026-11-21T08:15:00.000Z",
        "2026-11-21T08:15:00.000+00:00",
        "2026-11-21T08:15:00.000+0000",
        "2026-11-21T09:15:00+01:00",
        "2026-11-21T09:15+01:00",
        "2026-11-21T08:15:00.000000Z",
    ],
)
def test_iso_8601_is_read_with_its_offset(text: str) -> None:
    found = moments(pa.array([text]), ("iso8601",))
    assert found.absolute.tolist() == [True]
    assert found.micros[0] == micros(datetime(2026, 11, 21, 8, 15))


def test_a_slice_of_a_column_is_read_as_it_stands() -> None:
    whole = pa.array(["x", None, "2026-01-02", "2026-01-03", "y"])
    found = moments(whole.slice(1, 3), ("YYYY-MM-DD",))
    assert (found.bad.tolist(), found.empty.tolist()) == ([False] * 3, [True, False, False])
    assert found.micros[1:].tolist() == [micros(datetime(2026, 1, 2)), micros(datetime(2026, 1, 3))]


ZONES = st.sampled_from(
    ["Europe/Copenhagen", "Europe/Stockholm", "Europe/Brussels", "America/New_York", "Asia/Kolkata", "UTC", "Australia/Lord_Howe"]
)


@settings(max_examples=200, deadline=None)
@given(st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1)), ZONES)
def test_local_times_become_utc_as_pep_495_says(moment: datetime, zone: str) -> None:
    utc, gap = to_utc(np.array([micros(moment)]), zone)
    aware = moment.replace(tzinfo=ZoneInfo(zone), fold=0)
    assert utc[0] == micros(aware.astimezone(UTC).replace(tzinfo=None))
    assert gap[0] == (aware.astimezone(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None) != moment)
    assert gap[0] or to_local(utc, zone)[0] == micros(moment)


def test_a_time_in_the_spring_gap_moves_forward_by_an_hour() -> None:
    utc, gap = to_utc(np.array([micros(datetime(2026, 3, 29, 2, 30))]), "Europe/Copenhagen")
    assert gap.tolist() == [True]
    assert to_local(utc, "Europe/Copenhagen")[0] == micros(datetime(2026, 3, 29, 3, 30))


def test_in_the_hour_that_comes_twice_the_first_is_meant() -> None:
    utc, gap = to_utc(np.array([micros(datetime(2026, 10, 25, 2, 30))]), "Europe/Copenhagen")
    assert gap.tolist() == [False]
    assert utc[0] == micros(datetime(2026, 10, 25, 0, 30))
