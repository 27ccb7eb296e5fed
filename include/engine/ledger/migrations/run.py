"""Run the migrations from Python: found beside this file, one transaction, one process at a time."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError

from include.engine.errors import SettingsError


class Database(Protocol):
    """As much of a ledger as is migrated: the ledger itself asks for it, and is not asked for here."""

    def begin(self) -> AbstractContextManager[sa.Connection]: ...
    def lock(self, tx: sa.Connection, name: str) -> None: ...


_ONE_THREAD = threading.Lock()  # Alembic keeps the migration that it runs in a global of its module


def upgrade(ledger: Database, revision: str = "head") -> None:
    """Bring `ledger` up to `revision`, all or nothing; SettingsError when it is newer than this program."""
    _run(command.upgrade, ledger, revision)


def downgrade(ledger: Database, revision: str) -> None:
    """Take `ledger` back to an older `revision` ("base" is none at all). What the newer tables held is lost."""
    _run(command.downgrade, ledger, revision)


def _run(move: Callable[[Config, str], None], ledger: Database, revision: str) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent).replace("%", "%%"))
    config.set_main_option("path_separator", "os")
    # The transaction has the write lock before Alembic asks which revision is there: of several processes one migrates, the others find
    # it done.
    with _ONE_THREAD, ledger.begin() as tx:
        ledger.lock(tx, "bindery migrations")
        config.attributes["connection"] = tx
        try:
            move(config, revision)
        except CommandError as error:
            raise SettingsError(
                f"the ledger's tables cannot be brought to this version: {error}.",
                where=repr(ledger),
                do="It was probably used by a newer version of Bindery: run that one, or restore a backup.",
            ) from error
