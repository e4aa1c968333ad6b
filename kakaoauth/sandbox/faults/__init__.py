"""Faults on demand: what can go wrong, where, and how it looks."""
