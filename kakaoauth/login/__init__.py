"""Logging in and out: the button, the callback, its end, passwords."""
