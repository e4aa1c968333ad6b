"""How Naver, Google and Apple refuse: a page of their own, OAuth's JSON, or what Naver's API says."""

from kakaoauth.sandbox.errors import Refusal

PROVIDERS = ("naver", "google", "apple")


class LoginPageError(Refusal):
    """Shown to the person on the provider's page; the site never hears of it."""

    def __init__(self, provider: str, error: str, detail: str = "", *, status: int = 400) -> None:
        super().__init__(error)
        self.provider = provider
        self.error = error
        self.detail = detail
        self.status = status


class OAuthError(Refusal):
    """{"error", "error_description"} of a token endpoint (RFC 6749, 5.2)."""

    def __init__(self, error: str, description: str | None = None, *, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error}
        if description is not None:
            self.body["error_description"] = description


class NaverApiError(Refusal):
    """{"resultcode", "message"} of openapi.naver.com."""

    def __init__(self, resultcode: str, message: str, *, status: int) -> None:
        super().__init__(resultcode)
        self.status = status
        self.body = {"resultcode": resultcode, "message": message}


def provider_of(path: str) -> str | None:
    """Return whose address this is: naver, google, apple, or None."""
    first = path.lstrip("/").partition("/")[0]
    return first if first in PROVIDERS else None
