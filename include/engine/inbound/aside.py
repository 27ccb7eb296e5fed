"""Records set aside in one step of one try: sealed as they come, entered in the ledger together with the step's end."""

from __future__ import annotations

from collections import Counter

import pyarrow as pa
import sqlalchemy as sa

from include.engine.crypto.keys import DataKey
from include.engine.delivery import Delivery, Token
from include.engine.engine import Engine
from include.engine.ledger import quarantined
from include.engine.quarantine import store
from include.engine.quarantine.schema import SET_ASIDE, conform

_MOST_ROWS = 100_000
_MOST_BYTES = 64 << 20


class Aside:
    """Collects set-aside rows and seals them in files of bounded size; memory holds at most one file's rows, and every row's index."""

    def __init__(self, engine: Engine, delivery: Delivery, token: Token, key: DataKey) -> None:
        self._engine, self._delivery, self._token, self._key = engine, delivery, token, key
        self._open: list[pa.Table] = []
        self._rows = self._bytes = 0
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
            step = f"{self._token.step}-{len(self._kept)}"
            uri = store.keep(self._engine.home, self._delivery, self._token.value, rows, self._key, step=step)
            self._kept.append((uri, rows.select([name for name in SET_ASIDE.names if name not in {"raw", "detail"}])))
            self._open, self._rows, self._bytes = [], 0, 0

    def seal(self) -> None:
        """Bring everything to disk: best before the transaction that enters it."""
        self._flush()

    def enter(self, tx: sa.Connection) -> None:
        """Enter every row in the ledger, in place of what an earlier try of this step entered."""
        self.seal()
        quarantined.clear(self._engine.ledger, self._token.delivery_id, step=self._token.step, tx=tx)
        for uri, rows in self._kept:
            quarantined.add(self._engine.ledger, self._token.delivery_id, rows, uri, step=self._token.step, more=True, tx=tx)
