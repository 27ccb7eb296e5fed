"""Whatever is done to the deliveries of a partner, in whatever order: the rules of their life hold (on SQLite, for speed)."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, initialize, invariant, rule

from include.engine.delivery import IN_FLIGHT, TRANSITIONS, Counts, State, Token
from include.engine.errors import StaleToken, WrongState
from include.engine.ledger import Ledger, claims, deliveries, queue
from include.engine.ledger.deliveries import NewDelivery
from tests.conftest import sqlite_ledger
from tests.engine.ledger.conftest import START

_FOLDER = tempfile.TemporaryDirectory(prefix="life_")
_EMPTY = Path(_FOLDER.name) / "empty.db"
_counts = st.builds(Counts, in_=st.integers(0, 3), published=st.integers(0, 3), quarantined=st.integers(0, 1))


class Life(RuleBasedStateMachine):
    ids = Bundle("ids")
    tokens = Bundle("tokens")

    @initialize()
    def begin(self) -> None:
        if not _EMPTY.exists():
            Ledger(f"sqlite:///{_EMPTY}").migrate()
        self.ledger = sqlite_ledger(Path(_FOLDER.name) / "ledger.db", _EMPTY)
        self.number = 0
        self.newest: dict[str, int] = {}

    @rule(target=ids, table=st.sampled_from(["loan", "item"]), after_block=st.sampled_from(["wait", "continue"]))
    def see(self, table: str, after_block: str) -> str:
        self.number += 1
        one = NewDelivery(f"d{self.number}", "aarhus", "ils_import", table, START, after_block=after_block)
        return deliveries.see(self.ledger, one).id

    @rule(target=ids, origin=ids)
    def replay(self, origin: str) -> str:
        self.number += 1
        old = deliveries.get(self.ledger, origin)
        return deliveries.see(self.ledger, NewDelivery(f"d{self.number}", "aarhus", "ils_import", old.table, START, origin=origin)).id

    @rule(id=ids)
    def claim(self, id: str) -> None:
        free = deliveries.get(self.ledger, id).state == State.SEEN and queue.waits_for(self.ledger, id) is None
        assert (claims.claim(self.ledger, id) is not None) == free

    @rule(id=ids)
    def reopen_or_dismiss(self, id: str) -> None:
        before = deliveries.get(self.ledger, id)
        try:
            found = claims.reopen(self.ledger, id) or claims.dismiss(self.ledger, id, "anne")
            assert before.state in {State.BLOCKED, State.HELD, State.FAILED}
            assert found.state == State.CLAIMED or found.dismissed_by == "anne"
        except WrongState:
            assert deliveries.get(self.ledger, id) == before

    @rule(target=tokens, id=ids)
    def take(self, id: str) -> Token:
        try:
            token = claims.take(self.ledger, id, "step")
        except WrongState:
            assert deliveries.get(self.ledger, id).state == State.SEEN
            return Token(id, -1, "never")
        assert token.value == self.newest.get(id, 0) + 1
        self.newest[id] = token.value
        return token

    @rule(token=tokens, to=st.sampled_from(list(State)), counts=_counts)
    def advance(self, token: Token, to: State, counts: Counts) -> None:
        before = deliveries.get(self.ledger, token.delivery_id)
        try:
            after = claims.advance(self.ledger, token, to, counts=counts)
        except StaleToken:
            assert self.newest.get(token.delivery_id, 0) != token.value
        except WrongState:
            assert to not in TRANSITIONS[before.state] or not counts.balanced() or to in {State.CLAIMED, State.ACKNOWLEDGED}
        else:
            assert self.newest[token.delivery_id] == token.value
            assert to in TRANSITIONS[before.state]
            assert (after.state, after.counts) == (to, counts)
            return
        assert deliveries.get(self.ledger, token.delivery_id) == before

    @invariant()
    def one_of_a_table_is_in_flight(self) -> None:
        flying = [one.lane for one in deliveries.find(self.ledger, states=IN_FLIGHT)]
        assert len(flying) == len(set(flying))

    @invariant()
    def what_is_published_balances(self) -> None:
        assert all(one.counts.balanced() for one in deliveries.find(self.ledger, states=[State.PUBLISHED, State.ACKNOWLEDGED]))

    @invariant()
    def nobody_waits_for_what_can_never_move(self) -> None:
        # The head of a line waits only for one in flight, or for a blocked one that a person can replay or dismiss.
        for one in queue.next_in_line(self.ledger):
            behind = queue.waits_for(self.ledger, one.id)
            assert behind is None or deliveries.get(self.ledger, behind).state in {State.BLOCKED, State.FAILED}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=15, stateful_step_count=30, deadline=None)
