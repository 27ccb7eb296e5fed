"""What only loans need: the event that a row is, the kind of a loan, and a key that tells renewals of one loan apart.

A delivery of loans declares what it is:
- `open`: the loans that are out now. One row a loan; one that is missing tomorrow was returned, or not, and is no deletion.
- `history`: loans with their returns. One row a loan, with its number of renewals; its patron may be gone (null), and that is no deletion.
- `events`: one row a loan, renewal or return, as they happen.

In `open` and `history` every row is the event `loan`, and `renewals` counts its renewals. In `events` a renewal is a row of its own that
stands for one renewal, so `renewals` is 1 there and 0 on the rows of loan and return, whatever running number the library system writes:
whoever adds `renewals` up counts each renewal once, and never a renewal as a loan.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from connectors.ils.columns import NOTHING
from connectors.ils.profile import Profile

Loans = Literal["open", "history", "events"]
ONCE = "once"
NO_EVENT = "none"  # what a profile maps to when a line tells of something else than a loan, renewal or return


def with_event(texts: dict[str, pa.StringArray], loans: Loans, rows: int) -> None:
    """Set `event`: each row's own in `events`, `loan` otherwise."""
    if loans != "events" or "event" not in texts:
        texts["event"] = pa.repeat(pa.scalar("loan"), rows)


def with_kind(texts: dict[str, pa.StringArray], profile: Profile, rows: int) -> None:
    """Set `kind` where the row says none: that of a virtual branch, else a home loan."""
    kind = texts.get("kind", pa.nulls(rows, pa.string()))
    if kind.null_count and profile.virtual_branches and "lending_branch" in texts:
        coded = texts["lending_branch"].dictionary_encode()
        virtual = pa.array([profile.virtual_branches.get(branch) for branch in coded.dictionary.to_pylist()], pa.string())
        kind = pc.coalesce(kind, virtual.take(coded.indices))
    texts["kind"] = pc.fill_null(kind, "home")


def without_anonymous(texts: dict[str, pa.StringArray], profile: Profile) -> None:
    """Read the library's stand-ins for nobody as null, in the columns that name a patron."""
    if not profile.anonymous_patrons:
        return
    nobody = pa.array(profile.anonymous_patrons, pa.string())
    for name in ("patron_id", "card_number"):
        if name in texts:
            is_nobody = pc.is_in(texts[name], value_set=nobody)
            if pc.any(is_nobody).as_py():
                texts[name] = pc.if_else(is_nobody, NOTHING, texts[name])


def finish(columns: dict[str, pa.Array], loans: Loans) -> None:
    """Set `renewals`, `happened_at` and `event_id` on typed columns.

    `event_id` is "once" for a loan and its return. For a renewal it is the library system's own number of the event, else its moment in UTC
    (`20261121T081500Z`), else the new due date: the same renewal delivered twice has the same key, in whichever order they come.
    """
    rows = len(columns["event"])
    event = columns["event"]
    renewal = pc.fill_null(pc.equal(event, "renewal"), False)
    if loans == "events":
        columns["renewals"] = renewal.cast(pa.int16())
        columns["happened_at"] = pc.coalesce(
            columns["happened_at"],
            pc.case_when(pc.make_struct(pc.equal(event, "loan"), pc.equal(event, "return")), columns["loaned_at"], columns["returned_at"]),
        )
    else:
        columns["renewals"] = pc.fill_null(columns["renewals"], pa.scalar(0, pa.int16()))
    ids = pa.repeat(pa.scalar(ONCE), rows)
    if pc.any(renewal).as_py():
        which = pa.array(np.flatnonzero(np.asarray(renewal)))
        own = columns["event_id"].take(which)
        moment = pc.strftime(columns["happened_at"].take(which), "%Y%m%dT%H%M%SZ")
        moment = pc.replace_substring_regex(moment, r"\.[0-9]+Z$", "Z")
        due = pc.binary_join_element_wise("due", pc.strftime(columns["due_on"].take(which), "%Y%m%d"), "")
        ids = pc.replace_with_mask(ids, renewal, pc.fill_null(pc.coalesce(own, moment, due), "renewal"))
    columns["event_id"] = ids
