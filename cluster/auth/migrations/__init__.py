"""How the auth server's tables came to be what they are, step by step (alembic)."""
