"""How the registry's tables came to be what they are: steps of Alembic, oldest first."""
