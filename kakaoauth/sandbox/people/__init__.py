"""The people who can log in, and how more of them are made."""
