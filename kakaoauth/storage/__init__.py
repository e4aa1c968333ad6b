"""The database and Redis, and what is the same for everything kept in them."""
