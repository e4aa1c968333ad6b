"""Accounts: sign-in, linking, leaving, roles, devices, passwords."""
