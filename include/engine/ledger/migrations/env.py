"""Alembic's entry point: works in the transaction that `run.upgrade` has opened."""

from __future__ import annotations

from alembic import context

from include.engine.ledger.schema import metadata

connection = context.config.attributes["connection"]
context.configure(
    connection=connection, target_metadata=metadata, transactional_ddl=True, render_as_batch=connection.dialect.name == "sqlite"
)
context.run_migrations()
