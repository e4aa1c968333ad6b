"""Naver: login by the older addresses and by OpenID Connect, profile, revoke, the message of a disconnect."""
