"""What a developer sets at Apple Developer, as one frozen object."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from kakaoauth.sandbox.loopback import is_loopback, is_webhook_address

#: The key that signs client secrets for the sandbox. It is public on purpose and good for nothing else.
PRIVATE_KEY = (
    "-----BEGIN PRIVATE KEY-----\n"
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgeu3tLxbjsRZw6Pu+\n"
    "jzTlYEfmuy91nY2dcAk+6t5pjDehRANCAAS2xZ/a+1mRbuqwoAkCzn+VDI3c9rza\n"
    "UFr/2UiUq/S8cCkXoR5u6b+w6ow0F0+8bl7aqt8mX7lih0unwXBc3Y7K\n"
    "-----END PRIVATE KEY-----\n"
)


@dataclass(frozen=True)
class AppleSettings:
    """Everything the sandbox knows as Apple about the one team it serves."""

    client_id: str = "kr.example.sandbox.web"  # the Services ID
    app_ids: tuple[str, ...] = ("kr.example.sandbox.app",)  # bundle ids: for apps, never for the web
    team_id: str = "SANDBOX001"
    key_id: str = "SANDBOXKEY"
    private_key: str = PRIVATE_KEY
    app_name: str = "kakaoauth sandbox"
    redirect_uris: tuple[str, ...] = ()
    # Apple refuses http, localhost and addresses in numbers. A sandbox is of no use without them
    local_redirects: bool = True
    texts_for_flags: bool = True  # email_verified and is_private_email as texts; both are seen
    notification_url: str | None = None
    code_seconds: int = 300
    token_seconds: int = 3600
    id_token_seconds: int = 600

    def __post_init__(self) -> None:
        if len(self.team_id) != 10 or len(self.key_id) != 10:
            raise ValueError("team_id and key_id have 10 characters")
        if not self.client_id or self.client_id in self.app_ids:
            raise ValueError("client_id is the Services ID: not empty, and none of the app_ids")
        if self.notification_url is not None and not is_webhook_address(self.notification_url):
            raise ValueError(f"notifications go to this computer only (localhost, 127.0.0.1): {self.notification_url}")

    def allows_redirect(self, uri: str) -> bool:
        """Whether Apple would send a browser there."""
        parts = urlsplit(uri)
        host = parts.hostname or ""
        numbers = host.replace(".", "").isdigit() or ":" in host
        public = parts.scheme == "https" and "." in host and not numbers and not parts.fragment
        return uri in self.redirect_uris and (public or (self.local_redirects and is_loopback(host)))
