"""What a developer sets in Facebook's App Dashboard, as one frozen object."""

from dataclasses import dataclass

from kakaoauth.sandbox.loopback import is_webhook_address

# In November 2026: v20.0 ended on 2026-09-24, v26.0 came on 2026-07-29
VERSIONS = ("v21.0", "v22.0", "v23.0", "v24.0", "v25.0", "v26.0")
OLDEST_EVER = (2, 0)


@dataclass(frozen=True)
class FacebookSettings:
    """Everything the sandbox knows as Facebook about the one app it serves."""

    client_id: str = "100000000000001"
    client_secret: str = "5a9db0fb5a9db0fb5a9db0fb5a9db0fb"  # noqa: S105
    app_name: str = "kakaoauth sandbox"
    redirect_uris: tuple[str, ...] = ()
    # Where the signed requests go: to this computer only
    deauthorize_url: str | None = None
    data_deletion_url: str | None = None
    require_app_secret: bool = True  # the switch under Settings, Advanced
    live: bool = True  # False: "App not active"
    versions: tuple[str, ...] = VERSIONS  # the living ones, the oldest first
    code_seconds: int = 600
    token_seconds: int = 5183944  # sixty days, a little short, as a real answer shows it

    def __post_init__(self) -> None:
        if not (self.client_id.isascii() and self.client_id.isdigit()) or not self.client_secret:
            raise ValueError("Facebook's client_id is a number, and its client_secret must not be empty")
        for url in (self.deauthorize_url, self.data_deletion_url):
            if url is not None and not is_webhook_address(url):
                raise ValueError(f"a callback must lie on this computer (localhost, 127.0.0.1, [::1]): {url}")
        numbers = [version_number(version) for version in self.versions]
        if not numbers or numbers != sorted(set(numbers)) or numbers[0] < OLDEST_EVER:
            raise ValueError("versions must be a list such as v25.0, v26.0, the oldest first")


def version_number(text: str) -> tuple[int, int]:
    """:raise ValueError: not like v25.0."""
    major, dot, minor = text.removeprefix("v").partition(".")
    if not (text.startswith("v") and dot and (major + minor).isascii() and (major + minor).isdigit() and minor):
        raise ValueError(f"{text[:20]} is no version such as v25.0")
    return int(major[:6] or "0"), int(minor[:6])


def answering_version(asked: str | None, living: tuple[str, ...]) -> str | None:
    """Return the version that answers, or None for one that never was.

    No version means the oldest; a retired one is answered by the oldest that is left.
    """
    if asked is None:
        return living[0]
    if asked in living:
        return asked
    return living[0] if OLDEST_EVER <= version_number(asked) < version_number(living[0]) else None
