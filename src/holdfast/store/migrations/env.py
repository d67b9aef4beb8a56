"""What Alembic runs for each command: the steps, over the connection that `holdfast.store.upgrade` hands in."""

from __future__ import annotations

from alembic import context

from holdfast.store.schema import METADATA

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    # SQLite alters a table by copying it.
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
