"""Alembic's entry: runs on the connection (and in the transaction) that ``core.db.migrate`` opened."""

from alembic import context

from core.models import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transaction_per_migration=False,
)
context.run_migrations()
