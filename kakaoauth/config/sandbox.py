"""The sandbox's apps at Naver, Google and Apple.

Public on purpose: they open nothing but the imitation on one's own machine.
"""

SANDBOX_NAVER_CLIENT_ID = "SandboxNaverNotReal01"
SANDBOX_NAVER_CLIENT_SECRET = "NaverNo1Secret"  # noqa: S105
SANDBOX_GOOGLE_CLIENT_ID = "100000000001-sandbox0not0google0sandbox0not.apps.googleusercontent.com"
SANDBOX_GOOGLE_CLIENT_SECRET = "SandboxSecretNotForGoogle00000001"  # noqa: S105
SANDBOX_APPLE_CLIENT_ID = "kr.example.sandbox.web"
SANDBOX_APPLE_TEAM_ID = "SANDBOX001"
SANDBOX_APPLE_KEY_ID = "SANDBOXKEY"
SANDBOX_APPLE_PRIVATE_KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeu3tLxbjsRZw6Pu+\n"
    "jzTlYEfmuy91nY2dcAk+6t5pjDehRANCAAS2xZ/a+1mRbuqwoAkCzn+VDI3c9rza\n"
    "UFr/2UiUq/S8cCkXoR5u6b+w6ow0F0+8bl7aqt8mX7lih0unwXBc3Y7K\n"
    "-----END PRIVATE KEY-----\n"
)
