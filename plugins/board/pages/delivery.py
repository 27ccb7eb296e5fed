"""`/deliveries`: all of them; `/deliveries/{delivery}`: the life of one, also as the tab of its run; its receipt; and a person's answer."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Form, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse

from include.engine.delivery import IN_FLIGHT, State
from include.engine.errors import BinderyError, UnknownDelivery
from include.engine.replay import answer, replay
from plugins.board.house import Settled, Using, board_of
from plugins.board.reads.deliveries import GROUPS, PAGE, listed
from plugins.board.reads.life import life
from plugins.board.reads.scope import LARGEST, one_delivery
from plugins.board.render import Whole, show, url
from plugins.board.viewer import Looking, Viewer, engineers_only

router = APIRouter()
NAV = ("/deliveries", "base.deliveries", False)
LONGEST_RECEIPT = 1_000_000
_ENDED = frozenset(State) - IN_FLIGHT - {State.SEEN}


@router.get("/deliveries", response_class=HTMLResponse)
def all_deliveries(
    request: Request, viewer: Looking, engine: Using, settled: Settled,
    partner: str = "", flow: str = "", table: str = "", state: str = "", before: Annotated[int | None, Query(ge=0, le=LARGEST)] = None,
) -> HTMLResponse:  # fmt: skip
    """A page of deliveries, newest first."""
    with engine.ledger.read() as tx:
        found = listed(tx, viewer.partners, partner=partner, flow=flow, table=table, state=state, before=before, limit=PAGE + 1)
    flows = sorted({name for one in settled.partners.values() for name in one.flows} | {one.flow for one in found} | ({flow} - {""}))
    return show(
        request,
        "deliveries.html",
        found=found[:PAGE],
        older=found[PAGE - 1].arrival if len(found) > PAGE else None,
        asked={"partner": partner, "flow": flow, "table": table, "state": state},
        before=before,
        partners=sorted(settled.partners.values(), key=lambda one: one.name.casefold()),
        flows=flows,
        states=[*GROUPS, *State],
    )


@router.get("/deliveries/{delivery}", response_class=HTMLResponse)
def one(request: Request, viewer: Looking, engine: Using, delivery: str) -> HTMLResponse:
    """The life of one delivery."""
    return _life(request, viewer, engine, delivery)


@router.get("/run/{dag_id}/{run_id}", response_class=HTMLResponse)
def of_run(request: Request, viewer: Looking, engine: Using, dag_id: str, run_id: str) -> HTMLResponse:
    """The tab of an Airflow run: its delivery, or word that it has none."""
    try:
        return _life(request, viewer, engine, run_id)
    except UnknownDelivery:
        started = board_of(request).run_of(dag_id, run_id)
        if started is not None:
            return _life(request, viewer, engine, started, run=run_id)
        return show(request, "no_run.html", status=404, dag=dag_id)


@router.get("/deliveries/{delivery}/receipt", response_class=HTMLResponse)
def receipt(request: Request, viewer: Looking, engine: Using, delivery: str) -> HTMLResponse:
    """What the partner was told, as they read it."""
    found = life(engine.ledger, delivery, viewer.partners)
    kept = next((one for one in found.receipts if one.kind == "own txt"), None)
    if kept is None:
        raise HTTPException(404)
    folder, _, name = kept.uri.rpartition("/")
    try:
        with engine.store(folder) as store, store.open_read(name) as stream:
            text = stream.read(LONGEST_RECEIPT).decode(errors="replace")
    except BinderyError:
        text = None
    return show(request, "receipt.html", one=found.delivery, kept=kept, text=None if text is None else Whole(text))


@router.post("/deliveries/{delivery}/answer", dependencies=[Depends(engineers_only)])
def answered(request: Request, viewer: Looking, engine: Using, delivery: str, say: Annotated[str, Form()] = "") -> RedirectResponse:
    """A person's answer to a delivery that stopped: `approve` one that is held, `dismiss` it, or `replay` it. The engine writes the audit."""
    one_delivery(engine.ledger, delivery, viewer.partners)
    if say == "replay":
        made = replay(engine, delivery, who=viewer.name)
    elif say in {"approve", "dismiss"}:
        made = answer(engine, delivery, yes=say == "approve", who=viewer.name)
    else:
        raise HTTPException(400)
    return RedirectResponse(url(request, f"/deliveries/{made.id}"), 303)


def _life(request: Request, viewer: Viewer, engine: Using, id: str, run: str = "") -> HTMLResponse:
    """`run` is the Airflow run that did it, where that is not called as the delivery is."""
    found = life(engine.ledger, id, viewer.partners)
    one = found.delivery
    counts = one.counts
    shares = {"published": counts.published, "held": counts.held, "quarantined": counts.quarantined, "filtered": counts.filtered}
    return show(
        request,
        "delivery.html",
        life=found,
        one=one,
        run=run or one.id,
        outbound="pins" in one.facts or bool(found.parts),
        bar=_bar(shares, counts.in_),
        shares=shares,
        tables={
            name: figures
            for name, figures in (one.facts.get("published") or one.facts.get("would") or {}).items()
            if isinstance(figures, dict)
        },
        warnings=one.facts.get("warnings") or {},
        filtered=one.facts.get("filtered") or {},
        gates=sorted({(result.gate, result.contract, result.version) for result in found.results}),
        may=may_say(viewer, found.delivery.state, "landed" in one.facts, one.dismissed_at is not None),
    )


def _bar(shares: dict[str, int], total: int) -> list[tuple[str, float, float]]:
    """Kind, left edge and width of each part of the bar in percent; a part that is there is at least wide enough to be seen."""
    if total <= 0:
        return []
    there = {name: max(100 * number / total, 0.8) for name, number in shares.items() if number}
    scale = max(1.0, sum(there.values()) / 100)
    left, found = 0.0, []
    for name, width in there.items():
        found.append((name, round(left, 2), round(width / scale, 2)))
        left += width / scale
    return found


def may_say(viewer: Viewer, state: State, kept: bool, dismissed: bool) -> list[str]:
    """What the viewer can do about it, as the engine allows it."""
    if not viewer.engineer or state not in _ENDED:
        return []
    stopped = state in {State.BLOCKED, State.HELD, State.FAILED} and not dismissed
    return [
        *(["approve"] if state == State.HELD and not dismissed else []),
        *(["replay"] if kept else []),
        *(["dismiss"] if stopped else []),
    ]
