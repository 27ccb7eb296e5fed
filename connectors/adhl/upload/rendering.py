"""The data file, encrypted, and its transfile. The lines lie in the order of their days, whatever the order in which the loans came."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pyarrow as pa
import pyarrow.compute as pc

from connectors.adhl.settings import AdhlUpload
from connectors.adhl.upload import lines, transfile
from connectors.adhl.upload.keys import recipients
from connectors.adhl.upload.selecting import epoch
from include.engine.crypto.envelope import encrypting
from include.engine.outbound.connector import Parts, Work
from include.engine.privacy.pseudonym import Pseudonyms

MOST = 500_000
"""Rows that are sorted at a time: what is more is gone through again, some days at a time, so that memory stays that of these."""
SUFFIX = {"openpgp": "pgp", "cms": "p7m"}

Rows = Callable[[], pa.RecordBatchReader]


def render(work: Work, flow: AdhlUpload, rows: Rows, parts: Parts) -> None:
    """Two parts: the data file, which lies unseen without the other; then the transfile. Refused when a key may not be used."""
    to = recipients(flow, work.credentials, work.as_of)
    names = transfile.names(work.partner.agency, work.delivery.id, f"{work.today:%Y%m%d}", SUFFIX[flow.encryption])
    with parts.part(names.data, binding=False) as file:
        now = epoch(flow, work.today)
        key_id = Pseudonyms(work.keys, work.partner.id, "adhl", now).key_id
        file.facts |= {"keys": [one.fingerprint for one in to], "scheme": flow.encryption, "epoch": now, "key_id": key_id, "lines": 0}
        with encrypting(flow.encryption, file, to) as plain:
            for table in ordered(rows):
                content = lines.render(table, many_titles=flow.grouping == "many_titles")
                file.records += table.num_rows
                file.facts["lines"] += content.count(b"\n")
                plain.write(content)
    with parts.part(names.trans) as file:
        file.write(transfile.render(names.data, flow.posthus))


def ordered(rows: Rows, most: int = MOST) -> Iterator[pa.Table]:
    """The rows in tables that follow each other by day, each of at most `most` rows (of one day, if a day has more)."""
    days: dict[int, int] = {}
    for batch in rows():
        for found in pc.value_counts(batch.column("loan_date").cast(pa.int32())).to_pylist():
            days[found["values"]] = days.get(found["values"], 0) + found["counts"]
    for first, last in _spans(days, most):
        kept = []
        for batch in rows():
            day = batch.column("loan_date").cast(pa.int32())
            some = batch.select(lines.COLUMNS)
            kept.append(
                some
                if first <= min(days) and last >= max(days)
                else some.filter(pc.and_(pc.greater_equal(day, first), pc.less_equal(day, last)))
            )
        yield pa.Table.from_batches(kept)


def _spans(days: dict[int, int], most: int) -> Iterator[tuple[int, int]]:
    """Spans of days with at most `most` rows each."""
    first, last, count = None, None, 0
    for day in sorted(days):
        if first is not None and last is not None and count + days[day] > most:
            yield first, last
            first, count = None, 0
        first, last, count = day if first is None else first, day, count + days[day]
    if first is not None and last is not None:
        yield first, last
