"""Sign in with Apple: the login that returns by POST, client secrets that are signed, revoke, notifications."""
