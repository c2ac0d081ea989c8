"""Alembic's door: it is given a connection whose transaction is the caller's."""

from alembic import context

from acclimate.registry.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    transactional_ddl=False,  # the caller commits, so that a migration is all or nothing
)
context.run_migrations()
