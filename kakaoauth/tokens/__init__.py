"""Tokens: our access and refresh tokens, and those of the providers."""
