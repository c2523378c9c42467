"""What alembic runs: the steps, on the connection and within the transaction of `bot.database`."""

from alembic import context

from bot.store.tables import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata)
context.run_migrations()
