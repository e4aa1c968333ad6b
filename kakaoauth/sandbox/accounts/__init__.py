"""What Naver, Google and Apple have in common: the pages of a login, refusals, PKCE, tokens."""
