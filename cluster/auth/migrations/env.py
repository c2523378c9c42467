"""What alembic runs: the steps, on the connection and within the transaction of `bot.database`."""

from alembic import context

from cluster.auth.tables import AuthBase

context.configure(connection=context.config.attributes["connection"], target_metadata=AuthBase.metadata)
context.run_migrations()
