"""Signing keys, tokens and signed requests, right ones and flawed ones."""
