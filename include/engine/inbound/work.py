"""What the steps share: the delivery at work, where its files lie, and which state lets a step begin."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

import pyarrow as pa
import pyarrow.dataset as ds

from include.engine import spool
from include.engine.clock import day_in
from include.engine.crypto.keys import DataKey
from include.engine.delivery import Delivery, State, Token
from include.engine.engine import Engine
from include.engine.errors import SettingsError, WrongState
from include.engine.inbound.connector import Binder, Bound, Work
from include.engine.lake import read as lake_read
from include.engine.lake.table import exists, table_schema
from include.engine.ledger import claims, deliveries
from include.engine.partner.settings import DeliverySpec, InboxFlow, Partner, PulledFlow, spec_for
from include.engine.privacy.pseudonym import Pseudonyms
from include.engine.storage.archive import Limits, Member, members
from include.engine.storage.landing import Landed, open_landed

UNFINISHED = frozenset({State.CLAIMED, State.STAGED, State.GATED})
"""In flight, and not published yet."""
TO_FINISH = frozenset(State) - {State.SEEN, State.ACKNOWLEDGED, State.RETRACTED}
"""Where the last step has something to do, whatever became of the delivery."""
PACKED_BY_US = Limits(ratio=float("inf"), max_bytes=1 << 50)
"""What we fetched and packed ourselves is no archive bomb, however well it packs."""
KEY = "delivery"
"""The purpose of a delivery's own data key: it seals what was landed, staged and set aside of that delivery alone."""


@dataclass(frozen=True)
class Outcome:
    """What a step did, for the log: `tables` are those of the lake that changed."""

    delivery: str
    state: State
    words: str
    tables: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.state}: {self.words}"


def turn(engine: Engine, delivery_id: str, step: str, may_be: Collection[State]) -> tuple[Delivery, Token | None]:
    """The delivery, and a new try's token for `step`; None where the delivery is in none of the states in which the step may begin.

    It is looked at again once the token is taken: the try before this one may have got through just now.
    """
    delivery = deliveries.get(engine.ledger, delivery_id)
    if delivery.state not in may_be:
        return delivery, None
    token = claims.take(engine.ledger, delivery.id, step)
    delivery = deliveries.get(engine.ledger, delivery.id)
    return delivery, token if delivery.state in may_be else None


def nothing_to_do(delivery: Delivery) -> Outcome:
    """The outcome of a step that was cleared after its delivery had got further: nothing happens, and the words point to replay.

    WrongState for a delivery that has not got as far as this step, or has stopped before it: its run must not turn green.
    """
    if delivery.state in {State.SEEN, State.CLAIMED, State.BLOCKED, State.HELD, State.FAILED}:
        raise WrongState(
            f"the delivery is {delivery.state}: this step cannot begin.", where=delivery.id, do="Clear the run from its task receive on."
        )
    advice = " To do it again, replay it." if delivery.state in {State.PUBLISHED, State.ACKNOWLEDGED} else ""
    return Outcome(delivery.id, delivery.state, f"nothing to do, the delivery is {delivery.state} already.{advice}")


def flow_of(partner: Partner, delivery: Delivery) -> InboxFlow | PulledFlow:
    """The partner's settings for the delivery's flow; SettingsError when its YAML no longer has it."""
    flow = partner.flows.get(delivery.flow)
    if not isinstance(flow, InboxFlow | PulledFlow):
        raise SettingsError(
            f"the flow {delivery.flow} is not in this partner's YAML.", where=partner.where(), do="Put it back, then clear the task."
        )
    return flow


def spec_of(flow: InboxFlow | PulledFlow, delivery: Delivery) -> DeliverySpec:
    """What kind of delivery this is, by today's settings; a replay of single records never counts as a whole export."""
    if isinstance(flow, PulledFlow):
        return DeliverySpec(table=delivery.table, files="*", mode="delta", records=None if delivery.origin else flow.records)
    spec = spec_for(flow, Path(delivery.path or "").name)
    if spec is None or spec.table != delivery.table:
        spec = next((one for one in flow.deliveries if one.table == delivery.table), None)
    if spec is None:
        raise SettingsError(
            f"no delivery of table {delivery.table} is declared.",
            where=f"partner {delivery.partner}",
            do="Declare it, then clear the task.",
        )
    return spec.model_copy(update={"mode": delivery.mode, "records": None}) if delivery.origin else spec


def key_of(engine: Engine, delivery: Delivery) -> DataKey:
    """The delivery's own key."""
    return engine.keys.ensure(KEY, delivery.id)


def staging(engine: Engine, delivery: Delivery, token: int) -> Path:
    """The folder of one try: two tries at once never write into the same one."""
    return spool.staging(engine.home, delivery.partner, delivery.id) / f"{token:06d}"


def landed_of(delivery: Delivery) -> Landed:
    """Where the delivery's bytes are kept (a replay's are its origin's)."""
    return Landed(**delivery.facts["landed"])


def partner_rows(
    engine: Engine, partner: str, table: str, columns: list[str] | None = None, where: ds.Expression | None = None
) -> pa.Table:
    """The partner's rows of a lake table at its newest version (those that `where` is true of); an empty table where nothing was published yet."""
    if not exists(engine.lake, table):
        schema = table_schema(engine.contract(table))
        return pa.schema([schema.field(name) for name in columns or schema.names]).empty_table()
    return lake_read.read(engine.lake, table, partner=partner, columns=columns, version="newest", where=where)


def named_rows(engine: Engine, partner: str, table: str, queries: str) -> pa.Table:
    """As `partner_rows`, only the columns whose names stand in `queries`: a reference may be a whole catalogue with its MARC records."""
    there = lake_read.dataset(engine.lake, table, version="newest").schema.names if exists(engine.lake, table) else None
    names = there or table_schema(engine.contract(table)).names
    words = set(re.findall(r"\w+", queries))
    return partner_rows(engine, partner, table, [name for name in names if name in words] or names[:1])


def as_delivered(work: Work) -> Binder:
    """For connectors whose incoming rows are the lake's: they get the partner's name, and no more."""

    def bind(table: str, rows: pa.RecordBatch) -> Iterator[Bound]:
        whose = pa.repeat(pa.scalar(work.partner.id), rows.num_rows)
        yield Bound(table, pa.table(rows).append_column("partner", whose))

    return bind


def work_on(engine: Engine, delivery: Delivery) -> Work:
    """The delivery as its connector sees it, with today's settings."""
    partner = engine.partner(delivery.partner)
    flow = flow_of(partner, delivery)
    name = Path(delivery.path or delivery.id).name

    def unpacked() -> Iterator[Member]:
        with open_landed(landed_of(delivery), engine.keys, home=engine.home) as raw:
            yield from members(name, cast(BinaryIO, raw), PACKED_BY_US if isinstance(flow, PulledFlow) else None)

    def lookup(table: str, columns: list[str]) -> pa.Table:
        return partner_rows(engine, delivery.partner, table, columns)

    def find(table: str, columns: list[str], where: ds.Expression) -> pa.Table:
        return partner_rows(engine, delivery.partner, table, columns, where)

    return Work(
        partner=partner,
        flow=flow,
        spec=spec_of(flow, delivery),
        delivery=delivery,
        today=day_in(partner.timezone, delivery.seen_at),
        pseudonyms=Pseudonyms(engine.keys, delivery.partner, "lake"),
        members=unpacked,
        lookup=lookup,
        find=find,
    )


def json_counts(counts: dict[str, int]) -> dict[str, Any]:
    """Counts by reason, the largest first: for the ledger's facts and the receipt."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
