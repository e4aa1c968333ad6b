"""Google: OpenID Connect, tokeninfo, revoke, security events."""
