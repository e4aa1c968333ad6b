"""Sending webhooks and callbacks."""
