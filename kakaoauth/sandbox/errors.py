"""How the sandbox refuses, in Kakao's three formats.

Refusal
├── PageError    an HTML page on the sandbox's own host: the site never hears of it
├── KauthError   {"error", "error_description", "error_code"}
└── KapiError    {"msg", "code"}
"""

ADMIN_HEADLINE = "앱 관리자 설정 오류"
REQUEST_HEADLINE = "잘못된 요청"
ADMIN_CODES = frozenset({"KOE004", "KOE005", "KOE006", "KOE007", "KOE008", "KOE101", "KOE102"})


class Refusal(Exception):
    status = 400


class PageError(Refusal):
    """A configuration or request error shown to the person at the browser."""

    def __init__(self, code: str | None, *details: str, status: int = 400) -> None:
        super().__init__(code)
        self.code = code
        self.details = details
        self.status = status

    @property
    def headline(self) -> str:
        """As Kakao's page has it, the code in brackets."""
        words = ADMIN_HEADLINE if self.code in ADMIN_CODES else REQUEST_HEADLINE
        return f"{words} ({self.code})" if self.code else words


class KauthError(Refusal):
    def __init__(self, error: str, description: str, code: str | None = None, *, status: int = 400) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description}
        if code is not None:
            self.body["error_code"] = code


class KapiError(Refusal):
    """`reason` says more than the code where one code stands for several things: ACCESS_TOKEN_EXPIRED beside -401."""

    def __init__(self, code: int, msg: str, *, status: int = 400, reason: str | None = None) -> None:
        super().__init__(msg)
        self.status = status
        self.body = {"msg": msg, "code": code}
        if reason is not None:
            self.body["reason"] = reason

    @property
    def headers(self) -> dict[str, str]:
        """Those that go with the status."""
        return {"WWW-Authenticate": "Bearer error=invalid_token"} if self.status == 401 else {}
