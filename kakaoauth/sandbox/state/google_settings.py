"""What a developer sets in Google's console, as one frozen object."""

from dataclasses import dataclass
from urllib.parse import urlsplit

from kakaoauth.sandbox.loopback import is_loopback, is_webhook_address


@dataclass(frozen=True)
class GoogleSettings:
    """Everything the sandbox knows as Google about the one project it serves."""

    client_id: str = "100000000001-sandbox0not0google0sandbox0not.apps.googleusercontent.com"
    client_secret: str = "SandboxSecretNotForGoogle00000001"  # noqa: S105
    app_client_ids: tuple[str, ...] = ("100000000001-android0sandbox0not0google.apps.googleusercontent.com",)
    app_name: str = "kakaoauth sandbox"
    redirect_uris: tuple[str, ...] = ()
    testing: bool = False  # publishing status Testing: the testers alone get in
    testers: tuple[str, ...] = ()  # keys of people
    internal: str | None = None  # audience Internal: this organisation's people alone
    short_issuer: bool = False  # id_tokens with the issuer's old form, without https://
    iss_parameter: bool = False  # `iss` in the answer to the browser
    events_url: str | None = None  # where security events go
    code_seconds: int = 600
    token_seconds: int = 3599

    def __post_init__(self) -> None:
        if not self.client_id or not self.client_secret:
            raise ValueError("client_id and client_secret must not be empty")
        for uri in self.redirect_uris:
            check_redirect_uri(uri)
        if self.events_url is not None and not is_webhook_address(self.events_url):
            raise ValueError(f"events go to this computer only (localhost, 127.0.0.1): {self.events_url}")


def check_redirect_uri(uri: str) -> None:
    """Refuse what Google's console refuses. :raise ValueError: in the console's words."""
    parts = urlsplit(uri)
    host = parts.hostname or ""
    if parts.scheme not in ("http", "https") or not host:
        raise ValueError(f"Invalid Redirect: must be an address with a host: {uri}")
    if parts.fragment or "#" in uri or "@" in parts.netloc or "*" in uri:
        raise ValueError(f"Invalid Redirect: must not contain a fragment, user info or a wildcard: {uri}")
    if is_loopback(host):
        return
    if parts.scheme == "http":
        raise ValueError(f"Invalid Redirect: must use https, except for localhost: {uri}")
    if host.replace(".", "").isdigit() or ":" in host or "." not in host:
        raise ValueError(f"Invalid Redirect: must end with a public top-level domain (such as .com or .org): {uri}")
