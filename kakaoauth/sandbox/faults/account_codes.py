"""Errors of Naver, Google and Apple that can be switched on, with the status and words as far as these are known."""

from kakaoauth.sandbox.accounts.errors import LoginPageError, NaverApiError, OAuthError

#: At a token or revocation endpoint: name -> (error, error_description, status)
OAUTH_FAULTS: dict[str, tuple[str, str | None, int]] = {
    "oauth_invalid_request": ("invalid_request", "Required parameter is missing.", 400),
    "oauth_invalid_client": ("invalid_client", None, 401),
    "oauth_invalid_grant": ("invalid_grant", "Bad Request", 400),
    "oauth_unauthorized_client": ("unauthorized_client", "The client is not authorized.", 400),
    "oauth_unsupported_grant_type": ("unsupported_grant_type", None, 400),
    "oauth_invalid_scope": ("invalid_scope", None, 400),
    "oauth_invalid_token": ("invalid_token", "Token expired or revoked", 400),
    "oauth_server_error": ("server_error", "internal error", 500),
    "oauth_temporarily_unavailable": ("temporarily_unavailable", "try again later", 503),
}
#: At openapi.naver.com: name -> (resultcode, message, status)
NAVER_FAULTS: dict[str, tuple[str, str, int]] = {
    "naver_024": ("024", "Authentication failed (인증 실패하였습니다.)", 401),
    "naver_028": ("028", "Authentication header not exists (인증헤더가 존재하지 않습니다.)", 401),
    "naver_403": ("403", "Forbidden (권한이 없습니다.)", 403),
    "naver_404": ("404", "Not Found", 404),
    "naver_429": ("429", "Too many requests (하루 허용량을 초과하였습니다.)", 429),
    "naver_500": ("500", "Internal Server Error", 500),
}
#: Back to the site.
ACCOUNT_BACK: dict[str, dict[str, str]] = {
    "account_access_denied": {"error": "access_denied"},
    "account_user_cancelled": {"error": "user_cancelled_authorize"},
    "account_invalid_request": {"error": "invalid_request"},
    "account_unauthorized_client": {"error": "unauthorized_client"},
    "account_invalid_scope": {"error": "invalid_scope"},
    "account_server_error": {"error": "server_error"},
    "account_temporarily_unavailable": {"error": "temporarily_unavailable"},
    "account_login_required": {"error": "login_required"},
    "account_interaction_required": {"error": "interaction_required"},
    "account_consent_required": {"error": "consent_required"},
    "account_admin_policy": {"error": "admin_policy_enforced"},
}
#: On the provider's own page: name -> status
ACCOUNT_PAGES: dict[str, int] = {
    "page_invalid_client": 401,
    "page_deleted_client": 401,
    "page_invalid_request": 400,
    "page_redirect_uri_mismatch": 400,
    "page_disallowed_useragent": 403,
    "page_org_internal": 403,
    "page_admin_policy_enforced": 403,
    "page_access_denied": 403,
}


def account_fault(name: str, endpoint: str, status: int | None) -> Exception | None:
    """Return the refusal that a fault stands for, or None for another kind of fault."""
    provider = endpoint.partition("_")[0]
    if name in OAUTH_FAULTS:
        error, description, usual = OAUTH_FAULTS[name]
        # Naver's older token address answers 200 whatever has happened
        return OAuthError(error, description, status=status or (200 if endpoint == "naver_token" else usual))
    if name in NAVER_FAULTS:
        code, message, usual = NAVER_FAULTS[name]
        return NaverApiError(code, message, status=status or usual)
    if name in ACCOUNT_PAGES:
        return LoginPageError(provider, name.removeprefix("page_"), status=status or ACCOUNT_PAGES[name])
    return None
