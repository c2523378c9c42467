"""What alembic runs: the steps, on the connection and within the transaction of `bot.database`."""

from alembic import context

from cluster.usage.tables import UsageTable

context.configure(connection=context.config.attributes["connection"], target_metadata=UsageTable.metadata)
context.run_migrations()
