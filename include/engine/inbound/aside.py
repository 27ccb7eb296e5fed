"""Records set aside in one step of one try: sealed as they come, entered in the ledger together with the step's end.

Many are entered ahead of it, some thousand in a transaction, so that others can write meanwhile; they count from the step's end on.
"""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import sqlalchemy as sa

from include.engine.crypto.keys import DataKey
from include.engine.delivery import Delivery, Token
from include.engine.engine import Engine
from include.engine.ledger import claims, quarantined
from include.engine.quarantine import store
from include.engine.quarantine.schema import SET_ASIDE, conform

_MOST_ROWS = 100_000
_MOST_BYTES = 64 << 20


class Aside:
    """Collects set-aside rows and seals them in files of bounded size; memory holds at most one file's rows, and every row's index."""

    def __init__(self, engine: Engine, delivery: Delivery, token: Token, key: DataKey) -> None:
        self._engine, self._delivery, self._token, self._key = engine, delivery, token, key
        self._open: list[pa.Table] = []
        self._rows = self._bytes = self._files = 0
        self._ahead = False
        self._kept: list[tuple[str, pa.Table]] = []
        self.reasons: Counter[tuple[str, str | None]] = Counter()
        self.rows = 0

    def add(self, rows: pa.Table) -> None:
        """Take rows in the schema SET_ASIDE (`raw` may be missing)."""
        if not rows.num_rows:
            return
        rows = conform(rows)
        self._open.append(rows)
        self._rows += rows.num_rows
        self._bytes += rows.nbytes
        self.rows += rows.num_rows
        self.reasons.update(zip(rows.column("reason").to_pylist(), rows.column("column").to_pylist(), strict=True))
        if self._rows >= _MOST_ROWS or self._bytes >= _MOST_BYTES:
            self._flush()

    def _flush(self) -> None:
        if self._open:
            rows = pa.concat_tables(self._open)
            step = f"{self._token.step}-{self._files}"
            uri = store.keep(self._engine.home, self._delivery, self._token.value, rows, self._key, step=step)
            self._kept.append((uri, rows.select([name for name in SET_ASIDE.names if name not in {"raw", "detail"}])))
            self._open, self._rows, self._bytes, self._files = [], 0, 0, self._files + 1

    def seal(self) -> None:
        """Bring everything to disk, and where it is much, into the ledger: before the transaction that enters it. StaleToken."""
        self._flush()
        ledger, token = self._engine.ledger, self._token
        with ledger.kept_open():
            many = self.rows > quarantined.AT_ONCE
            if not self._ahead:
                quarantined.clear_ahead(ledger, token.delivery_id, step=token.step, fence=self._fence, all=many)
            self._ahead = self._ahead or many
            while many and self._kept:
                uri, rows = self._kept[0]
                quarantined.add_ahead(ledger, token.delivery_id, rows, uri, step=token.step, fence=self._fence)
                self._kept.pop(0)

    def _fence(self, tx: sa.Connection) -> None:
        claims.check(self._engine.ledger, self._token, tx=tx)

    def enter(self, tx: sa.Connection) -> None:
        """Enter every row in the ledger, in place of what an earlier try of this step entered."""
        self._flush()
        if self._ahead:
            quarantined.settle(tx, self._token.delivery_id, step=self._token.step)
        else:
            quarantined.clear(self._engine.ledger, self._token.delivery_id, step=self._token.step, tx=tx)
        for uri, rows in self._kept:
            quarantined.add(self._engine.ledger, self._token.delivery_id, rows, uri, step=self._token.step, more=True, tx=tx)
